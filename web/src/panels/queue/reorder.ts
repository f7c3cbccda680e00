/** Where a waiting job goes when it is dropped. No DOM. */

/** Before which job, null for the end; or no move at all. */
export type Place = { readonly moves: true; readonly before: string | null } | { readonly moves: false };

const STAYS: Place = { moves: false };

/** `ids` in the order they will run; `moved` is dropped before or after `target`. */
export function placeOf(ids: readonly string[], moved: string, target: string, side: "before" | "after"): Place {
  if (moved === target || !ids.includes(moved) || !ids.includes(target)) return STAYS;
  const others = ids.filter((each) => each !== moved);
  const at = others.indexOf(target) + (side === "after" ? 1 : 0);
  return ids.indexOf(moved) === at ? STAYS : { moves: true, before: others[at] ?? null };
}

/** One place up or down, for buttons and keys. */
export function placeBeside(ids: readonly string[], moved: string, by: -1 | 1): Place {
  const target = ids[ids.indexOf(moved) + by];
  if (target === undefined || !ids.includes(moved)) return STAYS;
  return placeOf(ids, moved, target, by < 0 ? "before" : "after");
}
