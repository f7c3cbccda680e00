/** The picture to paint on, and its alpha as the mask to begin with; pictures too large are refused before decoding. */

import { useEffect, useState } from "react";

import { ask, viewUrl } from "@/api/client";
import { isTooLarge, MAX_PAINTED_PIXELS } from "@/panels/lightbox/picture_size";
import { fileRoute, measure } from "@/panels/lightbox/use_measured";
import type { Size } from "@/panels/lightbox/zoom";
import type { Picture } from "@/state/run";

import { emptyMask, type Mask, TILE, tileOfAlpha } from "./mask";
import { MaskPainter } from "./painter";

type Loaded =
  | { readonly state: "loading" | "missing" }
  | { readonly state: "refused"; readonly size: Size }
  | { readonly state: "ready"; readonly painter: MaskPainter; readonly address: string };

const LOADING: Loaded = { state: "loading" };

export function useLoaded(picture: Picture | null): Loaded {
  const [loaded, setLoaded] = useState<Loaded>(LOADING);
  useEffect(() => {
    let isOver = false;
    const tell = (found: Loaded) => isOver || setLoaded(found);
    if (picture === null) tell({ state: "missing" });
    else void load(picture).then(tell, () => tell({ state: "missing" }));
    return () => {
      isOver = true;
    };
  }, [picture]);
  return loaded;
}

async function load(picture: Picture): Promise<Loaded> {
  const measured = await measure(picture);
  if (measured.state === "missing") return { state: "missing" };
  if (measured.state === "known" && isTooLarge(measured.size, MAX_PAINTED_PIXELS)) {
    return { state: "refused", size: measured.size };
  }
  const mask = await maskOf(picture);
  const isPlain = mask.tiles.every((each) => each === 0);
  // What is see-through would hide the colours that LoadImage gives all the same.
  const address = viewUrl(picture, isPlain ? {} : { channel: "rgb" });
  return { state: "ready", painter: new MaskPainter(mask), address };
}

async function maskOf(picture: Picture): Promise<Mask> {
  const answer = await ask(`${fileRoute(picture)}&channel=a`);
  if (!answer.ok) throw new Error(String(answer.status));
  const bitmap = await createImageBitmap(await answer.blob());
  const mask = emptyMask(bitmap);
  const canvas = new OffscreenCanvas(TILE, TILE);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("no canvas");
  for (let place = 0; place < mask.tiles.length; place += 1) {
    const [x, y] = [(place % mask.columns) * TILE, Math.floor(place / mask.columns) * TILE];
    const [width, height] = [Math.min(TILE, mask.width - x), Math.min(TILE, mask.height - y)];
    context.clearRect(0, 0, TILE, TILE);
    context.drawImage(bitmap, x, y, width, height, 0, 0, width, height);
    mask.tiles[place] = tileOfAlpha(context.getImageData(0, 0, width, height).data, width, height);
  }
  bitmap.close();
  return mask;
}
