/** Which pictures are looked at over the whole window: one after another, or two beside each other. */

import { create } from "zustand";

import type { Picture } from "./run";

/** A picture, and what the gallery knows of it; what is not known is asked for when it is shown. */
export interface ShownPicture extends Picture {
  readonly size?: number;
  /** Milliseconds since 1970. */
  readonly modified?: number;
  readonly width?: number | null;
  readonly height?: number | null;
}

interface Lightbox {
  readonly shown: { readonly pictures: readonly ShownPicture[]; readonly index: number } | null;
  readonly compared: readonly [ShownPicture, ShownPicture] | null;
}

export const useLightbox = create<Lightbox>()(() => ({ shown: null, compared: null }));

export function openPicture(pictures: readonly ShownPicture[], index = 0): void {
  if (pictures[index] !== undefined) useLightbox.setState({ shown: { pictures, index } });
}

export function closeLightbox(): void {
  useLightbox.setState({ shown: null });
}

export function nextPicture(): void {
  step(1);
}

export function previousPicture(): void {
  step(-1);
}

export function comparePictures(one: ShownPicture, other: ShownPicture): void {
  useLightbox.setState({ compared: [one, other] });
}

export function swapCompared(): void {
  useLightbox.setState(({ compared }) => ({ compared: compared === null ? null : [compared[1], compared[0]] }));
}

export function closeCompare(): void {
  useLightbox.setState({ compared: null });
}

/** What tells a picture apart from all others. */
export function pictureKey({ type, subfolder, filename }: Picture): string {
  return `${type}/${subfolder}/${filename}`;
}

function step(by: 1 | -1): void {
  useLightbox.setState(({ shown }) => {
    const index = (shown?.index ?? 0) + by;
    return shown === null || shown.pictures[index] === undefined ? {} : { shown: { ...shown, index } };
  });
}
