/**
 * A file of the editor as it is drawn: nodes with slots, wires between them, sub-graphs with a boundary.
 *
 * Reads both encodings of links (0.4: lists of six; 1: objects) into one form and knows nothing of node types. The same
 * as the server's engine/graph/editor_graph.py, so that both make the same prompt of a file.
 */

import { INPUT_NODE, OUTPUT_NODE } from "@/graph/document";
import { isObject, type JsonObject, type Value } from "@/graph/value";

import { refuse } from "./refusal";

/** An input of a drawn node. `isWidget`: a value typed into the node stands behind it. */
export interface Slot {
  readonly name: string;
  readonly type: string;
  readonly link: string | null;
  readonly isWidget: boolean;
}

/** From an output slot of one node to a node that finds it by the link's id. */
export interface Wire {
  readonly origin: string;
  readonly originSlot: number;
  readonly target: string;
  readonly targetSlot: number;
}

/** A drawn node. `values` are its widgets' values by position, `named` by name where the file has them so. */
export interface FileNode {
  readonly id: string;
  readonly type: string;
  readonly mode: number;
  readonly inputs: readonly Slot[];
  /** The types of its output slots. */
  readonly outputs: readonly string[];
  readonly values: readonly Value[] | null;
  readonly named: JsonObject | null;
  readonly title: string | null;
  /** The inner widgets an instance shows, as (inner node id, widget name); null where the file does not say. */
  readonly proxies: readonly (readonly [string, string])[] | null;
}

/** An inner slot that an input of a sub-graph goes to. */
export interface Fed {
  readonly node: string;
  readonly slot: Slot;
}

export interface FileGraph {
  readonly nodes: ReadonlyMap<string, FileNode>;
  readonly wires: ReadonlyMap<string, Wire>;
  readonly name: string;
  /** The names of a sub-graph's inputs, in order. */
  readonly inputs: readonly string[];
  /** The wire into each of its outputs. */
  readonly leaving: ReadonlyMap<number, Wire>;
  /** For each of its inputs where it goes, in the order of the nodes. */
  readonly fed: ReadonlyMap<number, readonly Fed[]>;
  readonly inputNode: string;
}

/** A whole file: the graph on top, the sub-graphs it may use, and the group nodes of old files as they came. */
export interface DrawnFile {
  readonly root: FileGraph;
  readonly definitions: ReadonlyMap<string, FileGraph>;
  readonly groups: ReadonlyMap<string, JsonObject>;
}

/** Whether parsed JSON looks like a file of the editor and not like a prompt. */
export function isEditorFile(source: Value | undefined): source is JsonObject {
  return isObject(source) && Array.isArray(source["nodes"]);
}

export function readFile(source: JsonObject): DrawnFile {
  return {
    root: readGraph(source, ""),
    definitions: new Map(definitionsIn(source).map(([id, each]) => [id, readGraph(each, id)])),
    groups: groupsIn(source),
  };
}

/** The group nodes of old files, by name. */
export function groupsIn(source: JsonObject): Map<string, JsonObject> {
  const extra = source["extra"];
  const groups = isObject(extra) ? extra["groupNodes"] : null;
  const found = isObject(groups) ? Object.entries(groups) : [];
  return new Map(found.filter((each): each is [string, JsonObject] => isObject(each[1])));
}

/** Every sub-graph of a file, also those defined inside others; the first of an id counts. */
export function definitionsIn(source: JsonObject): [string, JsonObject][] {
  const found = new Map<string, JsonObject>();
  const waiting = [source];
  for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
    const definitions = each["definitions"];
    for (const definition of objects(isObject(definitions) ? definitions["subgraphs"] : null)) {
      const id = identifier(definition["id"]);
      if (id === null || found.has(id)) continue;
      found.set(id, definition);
      waiting.push(definition);
    }
  }
  return [...found];
}

/** Reads one graph of a file; `where` is a sub-graph's id. */
export function readGraph(source: JsonObject, where: string): FileGraph {
  const listed = source["nodes"];
  if (!Array.isArray(listed)) refuse("reason.file_without_nodes", { name: where });
  const nodes = new Map<string, FileNode>();
  for (const each of listed as readonly Value[]) {
    const node = readNode(each);
    if (node === null) refuse("reason.file_node_without_type", { name: where });
    if (!nodes.has(node.id)) nodes.set(node.id, node);
  }
  const wires = new Map([...linksIn(source["links"])].map(([id, { wire }]) => [id, wire]));
  const inputNode = boundaryId(source, "inputNode", INPUT_NODE);
  const outputNode = boundaryId(source, "outputNode", OUTPUT_NODE);
  const leaving = new Map<number, Wire>();
  for (const wire of wires.values()) if (wire.target === outputNode) leaving.set(wire.targetSlot, wire);
  return {
    nodes,
    wires,
    name: asText(source["name"]),
    inputs: objects(source["inputs"]).map((each) => asText(each["name"])),
    leaving,
    fed: fedByInputs(nodes, wires, inputNode),
    inputNode,
  };
}

/** Which inner slots each input of a sub-graph goes to. */
export function fedByInputs(
  nodes: ReadonlyMap<string, FileNode>,
  wires: ReadonlyMap<string, Wire>,
  inputNode: string,
): Map<number, Fed[]> {
  const found = new Map<number, Fed[]>();
  for (const node of nodes.values()) {
    for (const slot of node.inputs) {
      const wire = slot.link === null ? undefined : wires.get(slot.link);
      if (wire?.origin !== inputNode) continue;
      const fed = found.get(wire.originSlot);
      if (fed === undefined) found.set(wire.originSlot, [{ node: node.id, slot }]);
      else fed.push({ node: node.id, slot });
    }
  }
  return found;
}

/** Reads one drawn node; null when it has no id or no type. `id`: where the file gives it none. */
export function readNode(source: Value, id: string | null = null): FileNode | null {
  if (!isObject(source)) return null;
  const nodeId = id ?? identifier(source["id"]);
  const type = source["type"];
  if (nodeId === null || typeof type !== "string" || type === "") return null;
  const values = source["widgets_values"];
  const named = source["widgets_values_named"];
  const title = source["title"];
  return {
    id: nodeId,
    type,
    mode: modeOf(source["mode"]),
    inputs: objects(source["inputs"]).map(readSlot),
    outputs: objects(source["outputs"]).map((each) => typeName(each["type"])),
    values: Array.isArray(values) ? (values as readonly Value[]) : null,
    named: isObject(named) ? named : isObject(values) ? values : null,
    title: typeof title === "string" ? title : null,
    proxies: readProxies(source["properties"]),
  };
}

/** The id of a node or link as text, whichever way a file writes it; null when it is no id. */
export function identifier(value: Value | undefined): string | null {
  if (typeof value === "string") return value;
  if (typeof value === "number" && Number.isInteger(value)) return identifier(BigInt(value));
  return typeof value === "bigint" && value > -LIMIT && value < LIMIT ? String(value) : null;
}

const LIMIT = 2n ** 64n;

/** A slot's index, which old files may write as text; null when it is none. */
export function wholeNumber(value: Value | undefined): number | null {
  const text = identifier(value);
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

/** The entries of a list, each an object: others keep their place, because slots are counted. */
export function objects(value: Value | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value as readonly Value[]).map((each) => (isObject(each) ? each : {})) : [];
}

/** The type of a slot; the oldest files write a combo's choices, and 0 means any. */
export function typeName(value: Value | undefined): string {
  if (typeof value === "string") return value;
  return Array.isArray(value) ? "COMBO" : "*";
}

function modeOf(value: Value | undefined): number {
  if (typeof value === "boolean") return Number(value);
  return typeof value === "number" && Number.isInteger(value) ? value : 0;
}

/** What counts as said: not null, false, 0, "", [] or {}. */
export function isSet(value: Value | undefined): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isObject(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** A name as text; what is an object or a list names nothing (and may not let itself be made a text). */
export function asText(value: Value | undefined): string {
  return value === undefined || typeof value === "object" ? "" : String(value);
}

/** An object's own value of a name that came from a file; "constructor" must not find what all objects have. */
export function own(source: JsonObject, name: string): Value | undefined {
  return Object.hasOwn(source, name) ? source[name] : undefined;
}

/** A link of a file: where it goes, and the entry it was read from. */
export interface FileLink {
  readonly wire: Wire;
  readonly type: string;
  readonly source: Value;
}

/** The links of a graph by id, in either encoding; deleted ones leave a null behind. */
export function linksIn(links: Value | undefined): Map<string, FileLink> {
  const found = new Map<string, FileLink>();
  const listed = isObject(links) ? Object.values(links) : links;
  if (listed === undefined || listed === null) return found;
  if (!Array.isArray(listed)) refuse("reason.file_links_no_list");
  for (const source of listed as readonly Value[]) {
    const each = isObject(source) ? LINK_KEYS.map((key) => source[key]) : source;
    if (!Array.isArray(each) || each.length < 5) continue;
    const [link, from, fromSlot, to, toSlot, type] = each as readonly Value[];
    const [id, origin, originSlot] = [identifier(link), identifier(from), wholeNumber(fromSlot)];
    if (id === null || origin === null || originSlot === null) continue;
    const wire = { origin, originSlot, target: identifier(to) ?? "", targetSlot: wholeNumber(toSlot) ?? -1 };
    found.set(id, { wire, type: typeName(type), source });
  }
  return found;
}

const LINK_KEYS = ["id", "origin_id", "origin_slot", "target_id", "target_slot", "type"] as const;

export function boundaryId(source: JsonObject, key: "inputNode" | "outputNode", otherwise: string): string {
  const node = source[key];
  return (isObject(node) ? identifier(node["id"]) : null) ?? otherwise;
}

function readSlot(source: JsonObject): Slot {
  const name = source["name"];
  return {
    name: typeof name === "string" ? name : "",
    type: typeName(source["type"]),
    link: identifier(source["link"]),
    isWidget: isSet(source["widget"]),
  };
}

export function readProxies(properties: Value | undefined): (readonly [string, string])[] | null {
  const listed = isObject(properties) ? properties["proxyWidgets"] : null;
  if (!Array.isArray(listed)) return null;
  return (listed as readonly Value[]).map((each) => {
    const [node, name] = Array.isArray(each) && each.length >= 2 ? (each as readonly Value[]) : ["", ""];
    return [identifier(node) ?? "", asText(name)] as const;
  });
}
