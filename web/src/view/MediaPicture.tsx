/** A picture on a node; where it cannot be shown, why. */

import { ImageOff } from "lucide-react";
import { useState } from "react";

import { viewUrl } from "@/api/client";
import type { Failure } from "@/api/failure";
import { whyNotShown } from "@/api/not_shown";
import { useNewFiles } from "@/state/new_files";
import type { Picture } from "@/state/run";
import { t } from "@/texts/index";
import { Icon } from "@/ui/Icon";

import styles from "./NodeMedia.module.css";

interface MediaPictureProps {
  readonly picture: Picture;
  readonly isAnimated: boolean;
}

/** Longest side in pixels. */
const SIZE = 512;

export function MediaPicture({ picture, isAnimated }: MediaPictureProps) {
  const { filename, subfolder, type } = picture;
  const name = subfolder === "" ? filename : `${subfolder}/${filename}`;
  // A file that was put there again is another picture at the same address.
  const version = useNewFiles((state) => (type === "input" ? (state.times.get(name) ?? 0) : 0));
  const of = version === 0 ? {} : { version };
  const address = viewUrl(picture, isAnimated ? of : { size: SIZE, ...of });
  return <Shown key={address} address={address} picture={picture} name={name} />;
}

interface ShownProps {
  readonly address: string;
  readonly picture: Picture;
  readonly name: string;
}

function Shown({ address, picture, name }: ShownProps) {
  const [why, setWhy] = useState<Failure | "unknown" | null>(null);
  if (why !== null) return <NotShown why={why} picture={picture} name={name} />;
  return (
    <img
      className={styles.picture}
      src={address}
      alt={picture.filename}
      draggable={false}
      decoding="async"
      onError={() => void whyNotShown(address).then((failure) => setWhy(failure ?? "unknown"))}
    />
  );
}

function NotShown({
  why,
  picture,
  name,
}: Pick<ShownProps, "picture" | "name"> & { readonly why: Failure | "unknown" }) {
  const failure = why === "unknown" ? null : why;
  const { title, more } = wordsOf(failure, picture, name);
  return (
    <span className={styles.notShown} title={failure?.message || undefined}>
      <Icon icon={ImageOff} size={22} />
      <span className={styles.notShownTitle}>{title}</span>
      {more !== "" && <span>{more}</span>}
    </span>
  );
}

function wordsOf(failure: Failure | null, { type }: Picture, name: string): { title: string; more: string } {
  switch (failure?.kind) {
    case "notFound":
      return { title: t("canvas.media.missing", { name }), more: "" };
    case "offline":
      return { title: t("canvas.media.offline"), more: "" };
    case "tooLarge": {
      const size = /this one has (\d[\d,×]*\d)/.exec(failure.message)?.[1];
      const facts = [
        size === undefined ? "" : t("canvas.media.size", { size }),
        type === "input" ? t("canvas.media.still_works") : "",
      ];
      return { title: t("canvas.media.too_large"), more: facts.filter(Boolean).join(" · ") };
    }
    default:
      return { title: t("canvas.media.broken"), more: failure?.message ?? "" };
  }
}
