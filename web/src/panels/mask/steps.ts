/** Undo and redo of strokes, within a limit of memory: the oldest steps are forgotten first. No DOM. */

import type { Mask, Replaced } from "./mask";

/** 192 MiB: some thousand usual strokes. */
const MAX_BYTES = 192 * 1024 * 1024;

export interface Steps {
  readonly past: readonly Replaced[];
  readonly future: readonly Replaced[];
}

export const NO_STEPS: Steps = { past: [], future: [] };

/** With one more change; a change that replaced nothing is none. */
export function taken(steps: Steps, replaced: Replaced, limit = MAX_BYTES): Steps {
  return replaced.size === 0 ? steps : { past: within([...steps.past, replaced], limit), future: [] };
}

/** Takes the last change back, in the mask itself. */
export function undone(steps: Steps, mask: Mask): Steps {
  const last = steps.past.at(-1);
  if (last === undefined) return steps;
  return { past: steps.past.slice(0, -1), future: [swapped(last, mask), ...steps.future] };
}

export function redone(steps: Steps, mask: Mask): Steps {
  const [next, ...future] = steps.future;
  if (next === undefined) return steps;
  return { past: [...steps.past, swapped(next, mask)], future };
}

export function bytesOf(replaced: Replaced): number {
  let bytes = 0;
  for (const tile of replaced.values()) bytes += typeof tile === "number" ? 16 : tile.byteLength;
  return bytes;
}

/** Puts tiles back. Returns: those that were there. */
function swapped(replaced: Replaced, mask: Mask): Replaced {
  const others: Replaced = new Map();
  for (const [place, tile] of replaced) {
    others.set(place, mask.tiles[place] ?? 0);
    mask.tiles[place] = tile;
  }
  return others;
}

/** The newest that fit; the newest one always. */
function within(past: readonly Replaced[], limit: number): readonly Replaced[] {
  let bytes = 0;
  let from = past.length;
  while (from > 0) {
    bytes += bytesOf(past[from - 1] ?? new Map());
    if (bytes > limit && from < past.length) break;
    from -= 1;
  }
  return past.slice(from);
}
