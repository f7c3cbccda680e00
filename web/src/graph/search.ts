/**
 * Finds kinds of nodes by what people type: name, id, category and aliases, in any order and with letters left out. A
 * search can be narrowed to the kinds that fit the end of a wire.
 */

import { go } from "fuzzysort";

import { DRAWN_KINDS } from "./create";
import { MARKDOWN_NOTE, NOTE, PRIMITIVE, REROUTE } from "./document";
import type { InputType, NodeType, NodeTypes } from "./node_type";
import { areCompatible, isAny } from "./sockets";
import { isWidget, isWidgetType } from "./widgets";

export interface Hit {
  /** What `addNode` takes. */
  readonly id: string;
  readonly title: string;
  readonly category: string;
  /** Parts of the title that matched, as [start, end) pairs, to be highlighted. */
  readonly ranges: readonly (readonly [number, number])[];
  /** The alias that matched, where the title did not. */
  readonly alias: string | null;
  readonly isDeprecated: boolean;
  readonly isExperimental: boolean;
}

/** What the other end of a wire is: the node must have an input that takes `accepts`, an output that gives `gives`. */
export interface Fits {
  readonly accepts?: string;
  readonly gives?: string;
}

interface Entry {
  readonly id: string;
  readonly title: string;
  readonly category: string;
  readonly aliases: string;
  readonly type: NodeType | null;
}

/** Aliases of our own for the drawn kinds, which no server describes. */
const DRAWN: readonly Entry[] = [
  { id: REROUTE, title: "Reroute", category: "utils", aliases: "dot, waypoint, knot", type: null },
  {
    id: PRIMITIVE,
    title: "Primitive",
    category: "utils",
    aliases: "PrimitiveNode, value, number, constant",
    type: null,
  },
  { id: NOTE, title: "Note", category: "utils", aliases: "comment, text, sticky", type: null },
  { id: MARKDOWN_NOTE, title: "Markdown note", category: "utils", aliases: "MarkdownNote, comment, text", type: null },
];

const MOST = 200;
const entriesOf = new WeakMap<NodeTypes, readonly Entry[]>();

/** The kinds that match, best first; without a query those used of late, then all by name. */
export function search(
  types: NodeTypes,
  query: string,
  fits: Fits = {},
  recent: readonly string[] = [],
): readonly Hit[] {
  const fitting = entries(types).filter((entry) => isFitting(entry, fits));
  if (query.trim() === "") return unsearched(fitting, recent);
  const results = go(query.trim(), fitting, {
    keys: ["title", "id", "aliases", "category"],
    limit: MOST,
    threshold: 0.2,
    scoreFn: (result) =>
      score(
        result.map((each) => each.score),
        result.obj,
        recent,
      ),
  });
  return results.map((result) => {
    const [title, id] = [result[0], result[1]];
    const isNamed = (title?.score ?? 0) > 0 || (id?.score ?? 0) > 0;
    const isAlias = !isNamed && (result[2]?.score ?? 0) > 0;
    return hit(result.obj, rangesOf(title?.indexes ?? []), isAlias ? aliasIn(result.obj, query) : null);
  });
}

/** A name that matches counts most; what is deprecated comes later, what was used of late a little earlier. */
function score(scores: readonly number[], entry: Entry, recent: readonly string[]): number {
  const [title = 0, id = 0, aliases = 0, category = 0] = scores;
  const best = Math.max(title, 0.95 * id, 0.8 * aliases, 0.5 * category);
  if (best <= 0) return 0;
  const place = recent.indexOf(entry.id);
  const bonus = place < 0 ? 0 : 0.08 / (1 + place / 4);
  return Math.max(0.001, best + bonus - (entry.type?.isDeprecated === true ? 0.3 : 0));
}

function unsearched(entries: readonly Entry[], recent: readonly string[]): readonly Hit[] {
  const places = new Map(recent.map((id, i) => [id, i]));
  const placeOf = (entry: Entry): number => places.get(entry.id) ?? Number.MAX_SAFE_INTEGER;
  return entries
    .toSorted((one, other) => placeOf(one) - placeOf(other) || compare(one, other))
    .map((entry) => hit(entry, [], null));
}

function compare(one: Entry, other: Entry): number {
  const [late, later] = [one.type?.isDeprecated === true, other.type?.isDeprecated === true];
  if (late !== later) return late ? 1 : -1;
  return one.title < other.title ? -1 : one.title > other.title ? 1 : 0;
}

function entries(types: NodeTypes): readonly Entry[] {
  const known = entriesOf.get(types);
  if (known !== undefined) return known;
  const drawn = DRAWN.filter((entry) => !types.has(entry.id));
  const made = [...drawn, ...[...types.values()].filter((type) => !DRAWN_KINDS.has(type.id)).map(entryOf)];
  entriesOf.set(types, made);
  return made;
}

function entryOf(type: NodeType): Entry {
  const aliases = type.searchAliases.join(", ");
  return { id: type.id, title: type.displayName, category: type.category, aliases, type };
}

function isFitting(entry: Entry, { accepts, gives }: Fits): boolean {
  const takes = accepts === undefined || takesType(entry, accepts);
  return takes && (gives === undefined || givesType(entry, gives));
}

function takesType(entry: Entry, type: string): boolean {
  if (entry.type === null) return entry.id === REROUTE;
  return entry.type.inputs.some((input) => mayTake(input, type));
}

/** An input that takes anything fits every wire; it is no answer to "what can I do with this?" for widgets. */
function mayTake(input: InputType, type: string): boolean {
  if (isWidget(input)) return !isAny(type) && input.options["socketless"] !== true && areCompatible(input.type, type);
  return areCompatible(input.type, type);
}

function givesType(entry: Entry, type: string): boolean {
  if (entry.type === null) return entry.id === REROUTE || (entry.id === PRIMITIVE && isWidgetType(type));
  return entry.type.outputs.some((output) => areCompatible(output.type, type));
}

function hit(entry: Entry, ranges: Hit["ranges"], alias: string | null): Hit {
  return {
    id: entry.id,
    title: entry.title,
    category: entry.category,
    ranges,
    alias,
    isDeprecated: entry.type?.isDeprecated ?? false,
    isExperimental: entry.type?.isExperimental ?? false,
  };
}

function aliasIn(entry: Entry, query: string): string | null {
  const found = go(query, entry.aliases.split(", "), { limit: 1 })[0];
  return found?.target ?? null;
}

/** Neighbouring places as one [start, end) pair. */
function rangesOf(indexes: ArrayLike<number>): readonly (readonly [number, number])[] {
  const ranges: [number, number][] = [];
  for (const place of Array.from(indexes).toSorted((one, other) => one - other)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === place) last[1] = place + 1;
    else ranges.push([place, place + 1]);
  }
  return ranges;
}
