/** The line a wire takes from an output to an input. Pure; drawn as SVG and on the far view's canvas alike. */

export type WireStyle = "curved" | "straight" | "stepped";

interface WireEnds {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

/** How far a curve leaves its socket sideways before it turns. */
export function bend({ x1, y1, x2, y2 }: WireEnds): number {
  const dx = x2 - x1;
  if (dx >= 0) return Math.min(Math.max(dx / 2, Math.min(40, Math.abs(y2 - y1) / 2)), 240);
  return Math.min(40 + Math.sqrt(-dx) * 6, 240);
}

export function wirePath(ends: WireEnds, style: WireStyle): string {
  const { x1, y1, x2, y2 } = ends;
  if (style === "straight") return `M${x1},${y1} L${x1 + 12},${y1} L${x2 - 12},${y2} L${x2},${y2}`;
  if (style === "stepped") return stepped(ends);
  const reach = bend(ends);
  return `M${x1},${y1} C${x1 + reach},${y1} ${x2 - reach},${y2} ${x2},${y2}`;
}

function stepped({ x1, y1, x2, y2 }: WireEnds): string {
  if (x2 - x1 >= 32) {
    const middle = (x1 + x2) / 2;
    return `M${x1},${y1} H${middle} V${y2} H${x2}`;
  }
  const level = (y1 + y2) / 2;
  return `M${x1},${y1} H${x1 + 16} V${level} H${x2 - 16} V${y2} H${x2}`;
}
