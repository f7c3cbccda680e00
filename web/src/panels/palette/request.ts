/** That the palette is open, where what is chosen goes, and what it must fit. */

import { create } from "zustand";

import { type PaletteRequest, type Point, useCanvas } from "@/view/canvas_store";

/** As the canvas asks; `screen` is null when the palette opens in the middle of the window. */
export type PaletteOpening = Omit<PaletteRequest, "screen"> & {
  readonly screen: Point | null;
  /** Asked for without pointing at a place: the node stands beside those that are there, not over them. */
  readonly isAnywhere?: boolean;
};

export const usePalette = create<{ readonly request: PaletteOpening | null }>()(() => ({ request: null }));

export function openPalette(request: PaletteOpening): void {
  usePalette.setState({ request });
}

export function closePalette(): void {
  usePalette.setState({ request: null });
  // The wire that was dropped is drawn until it is known what it goes to.
  useCanvas.setState({ wiring: null });
}
