/** The brush in hand and how the mask is shown; kept while the page is open, so that the next picture starts alike. */

import { create } from "zustand";

import { type Brush, LARGEST, nextSize, SMALLEST } from "./brush";

export type Tool = "brush" | "eraser" | "rectangle" | "hand";
type Look = "overlay" | "mask";

interface BrushSettings {
  readonly tool: Tool;
  /** The brush's width in the picture's pixels. */
  readonly size: number;
  /** 0: hard, 1: soft to the middle. */
  readonly softness: number;
  readonly look: Look;
  /** Of the overlay; changes nothing of the mask. */
  readonly opacity: number;
}

export const useBrush = create<BrushSettings>()(() => ({
  tool: "brush",
  size: 40,
  softness: 0.25,
  look: "overlay",
  opacity: 0.6,
}));

export function setBrush(change: Partial<BrushSettings>): void {
  useBrush.setState(change);
}

export function resizeBrush(by: -1 | 1): void {
  useBrush.setState(({ size }) => ({ size: nextSize(size, by) }));
}

export function soften(by: number): void {
  useBrush.setState(({ softness }) => ({
    softness: Math.min(1, Math.max(0, Math.round((softness + by) * 100) / 100)),
  }));
}

export function brushNow(): Brush {
  const { size, softness } = useBrush.getState();
  return { radius: size / 2, hardness: 1 - softness };
}

/** The slider's 0 to 100 as a size, fine where sizes are small. */
export function sizeAt(place: number): number {
  return Math.max(SMALLEST, Math.round(LARGEST ** (place / 100)));
}

export function placeOfSize(size: number): number {
  return Math.round((Math.log(size) / Math.log(LARGEST)) * 100);
}
