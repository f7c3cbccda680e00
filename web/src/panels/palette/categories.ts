/** Kinds of nodes sorted into the tree that their categories ("sampling/custom") make. */

import type { Hit } from "@/graph/search";

export interface Category {
  readonly name: string;
  /** "sampling/custom" */
  readonly path: string;
  readonly inside: readonly Category[];
  readonly hits: readonly Hit[];
  /** How many kinds are in it and in what it holds. */
  readonly count: number;
}

interface Growing {
  readonly inside: Map<string, Growing>;
  readonly hits: Hit[];
}

/** The categories by name; what has none stands in one called "". */
export function categoriesOf(hits: readonly Hit[]): readonly Category[] {
  const root: Growing = { inside: new Map(), hits: [] };
  for (const hit of hits) {
    let place = root;
    for (const part of hit.category.split("/")) {
      const next = place.inside.get(part) ?? { inside: new Map(), hits: [] };
      place.inside.set(part, next);
      place = next;
    }
    place.hits.push(hit);
  }
  return grown(root, "");
}

function grown(from: Growing, above: string): Category[] {
  const names = [...from.inside.keys()].toSorted((one, other) => one.localeCompare(other));
  return names.flatMap((name) => {
    const growing = from.inside.get(name);
    if (growing === undefined) return [];
    const path = above === "" ? name : `${above}/${name}`;
    const inside = grown(growing, path);
    const hits = growing.hits.toSorted((one, other) => one.title.localeCompare(other.title));
    return [{ name, path, inside, hits, count: hits.length + inside.reduce((sum, each) => sum + each.count, 0) }];
  });
}
