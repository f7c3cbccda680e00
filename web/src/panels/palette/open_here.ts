/** Opens the palette by keyboard: at the pointer when it is over the canvas, else in the middle of the window. */

import { useCanvas } from "@/view/canvas_store";

import { freePlace } from "./add";
import { openPalette } from "./request";

let pointer: { readonly x: number; readonly y: number } | null = null;

/** Follows the pointer over the canvas. Returns: what ends it. */
export function followPointer(): () => void {
  window.addEventListener("pointermove", move, { passive: true });
  window.addEventListener("keydown", walk, true);
  return () => {
    window.removeEventListener("pointermove", move);
    window.removeEventListener("keydown", walk, true);
  };
}

function move(event: PointerEvent): void {
  const isOver = event.target instanceof Element && event.target.closest(".react-flow") !== null;
  pointer = isOver && event.pointerType === "mouse" ? { x: event.clientX, y: event.clientY } : null;
}

/** Who walks with the keyboard is not where the pointer was left lying. */
function walk(event: KeyboardEvent): void {
  if (event.key.startsWith("Arrow")) pointer = null;
}

/** Where the pointer is over the canvas, in the window; null when it is elsewhere. */
export function pointerPlace(): { readonly x: number; readonly y: number } | null {
  return pointer;
}

export function openPaletteHere(): void {
  if (pointer === null) openPalette({ at: freePlace(), screen: null, isAnywhere: true });
  else openPalette({ at: useCanvas.getState().screenToGraph(pointer), screen: pointer, isAnywhere: true });
}
