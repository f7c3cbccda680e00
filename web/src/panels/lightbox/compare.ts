/** Two pictures under one slider: where each lies, and where the line between them stands. No DOM. */

import type { Point, Size, View } from "./zoom";

export interface Box extends Point, Size {}

/** The frame that both pictures are scaled to: the one with more pixels. */
export function sharedSize(one: Size, other: Size): Size {
  return one.width * one.height >= other.width * other.height ? one : other;
}

/** A picture in the shared frame: whole, as large as it fits, in the middle. */
export function placed(picture: Size, frame: Size): Box {
  const scale = Math.min(frame.width / picture.width, frame.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  return { x: (frame.width - width) / 2, y: (frame.height - height) / 2, width, height };
}

/** What one sees of a picture, from left to right, in the frame's pixels. */
export function visibleSpan(view: View, picture: Size, frame: Size): readonly [number, number] {
  return [Math.max(0, view.x), Math.min(frame.width, view.x + picture.width * view.scale)];
}

/** Where the line stands in the frame when it is at `part` (0 to 1) of what one sees. */
export function lineAt(part: number, span: readonly [number, number]): number {
  return span[0] + part * (span[1] - span[0]);
}

/** The part that a pointer at `x` means. */
export function partAt(x: number, span: readonly [number, number]): number {
  const length = span[1] - span[0];
  return length <= 0 ? 0.5 : Math.min(1, Math.max(0, (x - span[0]) / length));
}

/** What a key does to a slider: its new part, or null when it is no key of sliders. */
export function keyedPart(part: number, key: string): number | null {
  const steps: Readonly<Record<string, number>> = {
    ArrowLeft: -0.01,
    ArrowDown: -0.01,
    ArrowRight: 0.01,
    ArrowUp: 0.01,
    PageDown: -0.1,
    PageUp: 0.1,
    Home: -1,
    End: 1,
  };
  const step = steps[key];
  return step === undefined ? null : Math.min(1, Math.max(0, Math.round((part + step) * 1000) / 1000));
}
