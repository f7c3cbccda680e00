/**
 * In which of several forms a file had what means the same (`null` for no links, a size as {"0": …}), so that a file
 * that was only opened is written as it was. Remembered beside the document, by what its parts keep of their entries:
 * a form says nothing about a workflow, and two documents that differ in it are the same.
 */

import type { Node } from "@/graph/document";
import { isObject, type JsonObject, type Value } from "@/graph/value";

interface Kept {
  readonly source: JsonObject;
  /** The node as it was read from it. */
  readonly node: Node;
}

const nodes = new WeakMap<JsonObject, Kept>();
const unnumbered = new WeakSet<JsonObject>();

export function rememberNode(node: Node, source: JsonObject): void {
  nodes.set(node.rest, { node, source });
}

/** A group that has no id in its file. */
export function rememberUnnumbered(rest: JsonObject): void {
  unnumbered.add(rest);
}

export function isUnnumbered(rest: JsonObject): boolean {
  return unnumbered.has(rest);
}

/** What a file had for a node whose values nobody has changed since; null when they were. */
export function unchangedSource(node: Node): JsonObject | null {
  const kept = nodes.get(node.rest);
  if (kept === undefined) return null;
  const isSame = (["values", "controls", "raw", "inputs", "promoted", "mode", "type"] as const).every(
    (key) => kept.node[key] === node[key],
  );
  return isSame ? kept.source : null;
}

/** A node's entry, in the form that its file had it. */
export function inFormOfFile(node: Node, made: JsonObject): JsonObject {
  const source = nodes.get(node.rest)?.source;
  if (source === undefined) return made;
  const entries = Object.entries(made).map(([key, value]): [string, Value] => [key, formed(key, value, source[key])]);
  return Object.fromEntries(entries.filter(([key, value]) => key in source || !isUsual(key, value)));
}

function formed(key: string, made: Value, source: Value | undefined): Value {
  if (key === "pos" || key === "size") return pairAs(made, source);
  if (key === "flags") return isObject(made) && isObject(source) ? flagsAs(made, source) : made;
  if (key === "outputs") return slotsAs(made, source, "links");
  return key === "inputs" ? slotsAs(made, source, "link") : made;
}

function pairAs(made: Value, source: Value | undefined): Value {
  if (!isObject(source) || Array.isArray(source) || !Array.isArray(made)) return made;
  const [first, second] = made as readonly Value[];
  return { ...source, "0": first ?? 0, "1": second ?? 0 };
}

function flagsAs(made: JsonObject, source: JsonObject): JsonObject {
  return source["collapsed"] === false && made["collapsed"] === undefined ? { ...made, collapsed: false } : made;
}

/** No links are none at all, null or an empty list. */
function slotsAs(made: Value, source: Value | undefined, key: "link" | "links"): Value {
  if (!Array.isArray(made) || !Array.isArray(source)) return made;
  const [slots, entries] = [made as readonly Value[], source as readonly Value[]];
  return slots.map((slot, i) => {
    const entry = entries[i];
    if (!isObject(slot) || !isObject(entry) || !isNothing(slot[key]) || !isNothing(entry[key])) return slot;
    const { [key]: _, ...others } = slot;
    return key in entry ? { ...slot, [key]: entry[key] ?? null } : others;
  });
}

function isNothing(links: Value | undefined): boolean {
  return links === undefined || links === null || (Array.isArray(links) && links.length === 0);
}

/** What reading takes for granted where a file does not say it. */
function isUsual(key: string, value: Value): boolean {
  if (key === "order") return value === -1;
  if (key === "mode") return value === 0;
  if (key === "inputs" || key === "outputs") return Array.isArray(value) && value.length === 0;
  return (key === "flags" || key === "properties") && isObject(value) && Object.keys(value).length === 0;
}
