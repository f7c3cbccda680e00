/** How large pictures are, known before the browser decodes anything of them. */

import { useEffect, useState } from "react";

import { ask } from "@/api/client";
import type { Picture } from "@/state/run";
import { pictureKey, type ShownPicture } from "@/state/lightbox";

import { HEADER_BYTES, pictureSize } from "./picture_size";
import type { Size } from "./zoom";

/** "unknown": the file's beginning does not say; it may be shown, since only small headers are unreadable. */
export type Measured =
  { readonly state: "measuring" | "unknown" | "missing" } | { readonly state: "known"; readonly size: Size };

const MEASURING: Measured = { state: "measuring" };

export function useMeasured(picture: ShownPicture | null): Measured {
  const key = picture === null ? "" : pictureKey(picture);
  const [asked, setAsked] = useState<{ key: string; measured: Measured } | null>(null);
  const told = picture === null ? null : sizeTold(picture);
  const isTold = told !== null;
  useEffect(() => {
    if (picture === null || isTold) return undefined;
    let isOver = false;
    void measure(picture).then((measured) => isOver || setAsked({ key, measured }));
    return () => {
      isOver = true;
    };
    // eslint-disable-next-line react/exhaustive-deps -- the key says which picture it is
  }, [key, isTold]);
  if (told !== null) return { state: "known", size: told };
  return asked !== null && asked.key === key ? asked.measured : MEASURING;
}

export async function measure(picture: Picture): Promise<Measured> {
  try {
    const answer = await ask(fileRoute(picture), { headers: { Range: `bytes=0-${HEADER_BYTES - 1}` } });
    if (!answer.ok) return { state: "missing" };
    const size = pictureSize(await beginning(answer));
    return size === null ? { state: "unknown" } : { state: "known", size };
  } catch {
    return { state: "missing" };
  }
}

/** The route of the file itself, for `ask`. */
export function fileRoute({ filename, subfolder, type }: Picture): string {
  return `view?${new URLSearchParams({ filename, subfolder, type }).toString()}`;
}

function sizeTold({ width, height }: ShownPicture): Size | null {
  return typeof width === "number" && typeof height === "number" && width > 0 && height > 0 ? { width, height } : null;
}

/** The first bytes also of servers (or proxies) that send the whole file; the rest is not waited for. */
async function beginning(answer: Response): Promise<Uint8Array> {
  if (answer.body === null) return new Uint8Array(0);
  const reader = answer.body.getReader();
  const bytes = new Uint8Array(HEADER_BYTES);
  let length = 0;
  while (length < HEADER_BYTES) {
    const { done, value } = await reader.read();
    if (done) break;
    const part = value.subarray(0, HEADER_BYTES - length);
    bytes.set(part, length);
    length += part.length;
  }
  void reader.cancel();
  return bytes.subarray(0, length);
}
