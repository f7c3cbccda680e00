/** Where a new node finds room among those that are there. */

import { overlaps, type Rect } from "./geometry";

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Between nodes that were put beside each other. */
export const GAP = 40;

/** The place itself when nothing stands there; else the nearer of the first free ones below it and right of it. */
export function roomFor(wanted: Rect, taken: Iterable<Rect>): Point {
  const rects = [...taken];
  const below = firstFree(wanted, rects, (rect, other) => ({ ...rect, y: other.y + other.height + GAP }));
  const beside = firstFree(wanted, rects, (rect, other) => ({ ...rect, x: other.x + other.width + GAP }));
  return below.y - wanted.y <= beside.x - wanted.x ? below : beside;
}

/** Each step leaves one rectangle behind for good, so there are at most as many steps as rectangles. */
function firstFree(wanted: Rect, taken: readonly Rect[], past: (rect: Rect, other: Rect) => Rect): Point {
  let rect = wanted;
  for (;;) {
    const { x, y, width, height } = rect;
    const around = { x: x - GAP / 2, y: y - GAP / 2, width: width + GAP, height: height + GAP };
    const other = taken.find((each) => overlaps(around, each));
    if (other === undefined) return { x, y };
    rect = past(rect, other);
  }
}
