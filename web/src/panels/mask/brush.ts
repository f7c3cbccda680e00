/**
 * What a brush leaves: how strong it is at a distance from the way it went. A stroke is a chain of capsules (all points
 * within a radius of a line), so it is smooth however fast the hand goes. No DOM.
 */

import type { Point } from "@/panels/lightbox/zoom";

export interface Brush {
  /** In the picture's pixels. */
  readonly radius: number;
  /** 0: soft from the middle on. 1: full to the edge, which is one pixel wide. */
  readonly hardness: number;
}

export const SMALLEST = 1;
export const LARGEST = 1000;

/** How strong, 0 to 1, at a distance from the brush's middle. Falls as a smoothstep from full to nothing. */
export function strength(distance: number, { radius, hardness }: Brush): number {
  const inner = Math.min(radius * hardness, radius - 0.5);
  const outer = Math.max(radius, inner + 1);
  if (distance <= inner) return 1;
  if (distance >= outer) return 0;
  const rest = (outer - distance) / (outer - inner);
  return rest * rest * (3 - 2 * rest);
}

/** `strength` for every distance up to the edge in quarters of a pixel, 0 to 255: looked up once per pixel. */
export function strengths(brush: Brush): Uint8Array {
  const table = new Uint8Array(Math.ceil((brush.radius + 1) * STEPS) + 2);
  for (let i = 0; i < table.length; i += 1) table[i] = Math.round(strength(i / STEPS, brush) * 255);
  return table;
}
export const STEPS = 4;

/** How far a point is from the line between two. */
export function distanceToLine(x: number, y: number, from: Point, to: Point): number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy;
  const part = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - from.x) * dx + (y - from.y) * dy) / length));
  const [ax, ay] = [x - from.x - part * dx, y - from.y - part * dy];
  return Math.sqrt(ax * ax + ay * ay); // Math.hypot guards against overflow and is ten times slower
}

/** The next smaller or larger size, in steps that feel alike at every size. `size` is the diameter. */
export function nextSize(size: number, by: -1 | 1): number {
  const wanted = by > 0 ? Math.max(size + 1, size * 1.15) : Math.min(size - 1, size / 1.15);
  return Math.min(LARGEST, Math.max(SMALLEST, Math.round(wanted)));
}

/** A pen pressed lightly draws thinner; mice and fingers have one pressure. */
export function pressedRadius(radius: number, pointerType: string, pressure: number): number {
  return pointerType === "pen" ? Math.max(0.5, radius * (0.2 + 0.8 * pressure)) : radius;
}
