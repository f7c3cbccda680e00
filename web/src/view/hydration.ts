/**
 * When nodes become whole. A node that comes into view is drawn as a sketch first, which is cheap; the real controls
 * come when the canvas stands still, a few per frame, so that panning never waits for them.
 */

const SLICE = 10; // milliseconds of a frame

const waiting = new Set<() => void>();
let isMoving = false;
let isHeld = false;
let frame: number | null = null;

/** Calls back when the node may become whole. Returns: stops waiting. */
export function whenStill(ready: () => void): () => void {
  waiting.add(ready);
  plan();
  return () => waiting.delete(ready);
}

/** A pointer holds the canvas: it may move again at any moment. */
export function setHeld(held: boolean): void {
  isHeld = held;
  if (!held) plan();
}

/** Told by the canvas. */
export function setMoving(moving: boolean): void {
  isMoving = moving;
  if (!moving) plan();
}

function plan(): void {
  if (frame !== null || isMoving || isHeld || waiting.size === 0) return;
  frame = requestAnimationFrame(work);
}

function work(): void {
  frame = null;
  const end = performance.now() + SLICE;
  for (const ready of waiting) {
    if (isMoving || isHeld) return;
    waiting.delete(ready);
    ready();
    if (performance.now() > end) break;
  }
  plan();
}
