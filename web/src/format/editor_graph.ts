/** One graph of a file (the root or the inside of a sub-graph): into a document, and back in either encoding. */

import {
  type Graph,
  type GraphId,
  type Group,
  type GroupId,
  INPUT_NODE,
  type Link,
  type LinkId,
  type Node,
  type NodeId,
  OUTPUT_NODE,
  type Port,
} from "@/graph/document";
import { isObject, type JsonObject, type Value } from "@/graph/value";

import {
  FARTHEST,
  finite,
  labelOf,
  readDrawnNode,
  type ReadNode,
  readPair,
  without,
  writeDrawnNode,
  writtenId,
} from "./editor_node";
import type { Kind } from "./editor_values";
import { isUnnumbered, rememberUnnumbered } from "./file_forms";
import {
  asText,
  boundaryId,
  type FileGraph,
  identifier,
  type FileLink,
  linksIn,
  objects,
  readNode,
} from "./file_graph";
import type { RepairNotes } from "./repair_notes";
import { parentsIn } from "./waypoints";

/** The most outputs a node can have; a link from beyond is a mistake. */
const MOST_OUTPUTS = 1000;

const LINK_FIELDS: ReadonlySet<string> = new Set([
  "id",
  "origin_id",
  "origin_slot",
  "target_id",
  "target_slot",
  "type",
]);
const PORT_FIELDS: ReadonlySet<string> = new Set(["id", "name", "type", "label", "linkIds"]);
const GROUP_FIELDS: ReadonlySet<string> = new Set(["id", "title", "bounding", "color"]);

// ------------------------------------------------------------------------------------------------------------ reading

/** The graph's JSON with nothing in it but nodes that are nodes, each id once, and links in a list. */
export function mendedGraph(source: JsonObject, notes: RepairNotes): JsonObject {
  const nodes = new Map<string, Value>();
  for (const each of Array.isArray(source["nodes"]) ? (source["nodes"] as readonly Value[]) : []) {
    const id = readNode(each)?.id ?? null;
    // The two ids of a boundary are no node's.
    if (id === null || id === INPUT_NODE || id === OUTPUT_NODE) notes.oddNodes += 1;
    else if (nodes.has(id)) notes.sharedIds += 1;
    else nodes.set(id, each);
  }
  const links = source["links"];
  const areLinks = links === undefined || links === null || Array.isArray(links) || isObject(links);
  if (!areLinks) notes.deadLinks += 1;
  return { ...source, nodes: [...nodes.values()], links: areLinks ? (links ?? []) : [] };
}

/** Reads a graph whose JSON was mended; `drawn` is the same as the converter reads it. */
export function readGraphBody(
  id: GraphId,
  source: JsonObject,
  drawn: FileGraph,
  kindOf: (type: string) => Kind,
  isModern: boolean,
  notes: RepairNotes,
): Graph {
  const links = linksIn(source["links"]);
  const inputNode = boundaryId(source, "inputNode", INPUT_NODE);
  const outputNode = boundaryId(source, "outputNode", OUTPUT_NODE);
  const isInside = id !== "";
  const inputs = isInside ? readPorts(source["inputs"], "input") : [];
  const originOf = (wire: FileLink["wire"]): NodeId | null => {
    if (isInside && wire.origin === inputNode) return wire.originSlot < inputs.length ? INPUT_NODE : null;
    return drawn.nodes.has(wire.origin) && wire.originSlot < MOST_OUTPUTS ? wire.origin : null;
  };
  const isLinked = (link: string): boolean => {
    const found = links.get(link);
    return found !== undefined && originOf(found.wire) !== null;
  };
  const read: ReadNode[] = [];
  for (const entry of objects(source["nodes"])) {
    const node = drawn.nodes.get(identifier(entry["id"]) ?? "");
    if (node === undefined) continue;
    const kind = kindOf(node.type);
    read.push(readDrawnNode(entry, node, kind, isLinked, isModern, notes));
  }
  const wiring = new Wiring(links, originOf, parentsIn(source["extra"]), lastId(links.keys(), counter(source, "Link")));
  for (const each of read) wiring.into(each);
  const outputs = isInside ? readPorts(source["outputs"], "output") : [];
  if (isInside) wiring.out(outputNode, outputs);
  notes.sharedLinks += wiring.shared;
  notes.deadLinks += Math.max(0, links.size - wiring.used.size);
  const nodes = new Map(read.map(({ node }) => [node.id, node]));
  for (const link of wiring.links.values()) widen(nodes, link);
  const groups = readGroups(source["groups"], counter(source, "Group"));
  return {
    id,
    name: isInside ? asText(source["name"]) : "",
    nodes,
    links: wiring.inOrder(),
    groups: groups.groups,
    inputs,
    outputs,
    inputAt: cornerOf(source["inputNode"], -200),
    outputAt: cornerOf(source["outputNode"], 600),
    lastNode: lastId(nodes.keys(), counter(source, "Node")),
    lastLink: wiring.last,
    lastGroup: groups.last,
    rest: {},
  };
}

/** Makes the links of a document: one for each wired input, whatever else the file says about them. */
class Wiring {
  readonly links = new Map<LinkId, Link>();
  readonly used = new Set<LinkId>();
  shared = 0;

  constructor(
    private readonly source: ReadonlyMap<LinkId, FileLink>,
    private readonly originOf: (wire: FileLink["wire"]) => NodeId | null,
    private readonly parents: ReadonlyMap<string, Value>,
    public last: number,
  ) {}

  into({ node, links }: ReadNode): void {
    links.forEach((id, slot) => {
      if (id !== null) this.add(id, node.id, slot);
    });
  }

  /** The links to a sub-graph's outputs; the last one at each counts. */
  out(outputNode: string, ports: Port[]): void {
    const leaving = new Map<number, LinkId>();
    for (const [id, { wire }] of this.source) {
      const isPort = wire.target === outputNode && wire.targetSlot >= 0 && wire.targetSlot < MOST_OUTPUTS;
      if (isPort && this.originOf(wire) !== null) leaving.set(wire.targetSlot, id);
    }
    for (const [slot, id] of leaving) {
      while (ports.length <= slot) ports.push(unnamedPort(ports.length));
      this.add(id, OUTPUT_NODE, slot);
    }
  }

  /** The links in the order of the file, those that share another's entry behind them. */
  inOrder(): Map<LinkId, Link> {
    const ordered = new Map<LinkId, Link>();
    for (const id of [...this.source.keys(), ...this.links.keys()]) {
      const link = this.links.get(id);
      if (link !== undefined) ordered.set(id, link);
    }
    return ordered;
  }

  private add(id: LinkId, target: NodeId, targetSlot: number): void {
    const found = this.source.get(id);
    const origin = found === undefined ? null : this.originOf(found.wire);
    if (found === undefined || origin === null) return;
    const isFirst = !this.used.has(id);
    if (!isFirst) this.shared += 1;
    const own = isFirst ? id : String((this.last += 1));
    this.used.add(id);
    const parent = this.parents.get(id);
    const rest = isObject(found.source) ? without(found.source, LINK_FIELDS) : {};
    this.links.set(own, {
      id: own,
      origin,
      originSlot: found.wire.originSlot,
      target,
      targetSlot,
      type: found.type,
      rest: parent === undefined ? rest : { ...rest, parentId: parent },
    });
  }
}

/** Gives the origin of a link the output it leaves from, where the file forgot to list it. */
function widen(nodes: Map<NodeId, Node>, link: Link): void {
  const origin = nodes.get(link.origin);
  if (origin === undefined || link.originSlot < origin.outputs.length) return;
  const missing = link.originSlot + 1 - origin.outputs.length;
  const added = Array.from({ length: missing }, () => ({ name: "", type: "*", label: null, rest: {} }));
  nodes.set(origin.id, { ...origin, outputs: [...origin.outputs, ...added] });
}

function readPorts(listed: Value | undefined, side: "input" | "output"): Port[] {
  return objects(listed).map((each, i) => ({
    id: identifier(each["id"]) ?? `${side}-${i}`,
    name: asText(each["name"]),
    type: typeof each["type"] === "string" ? each["type"] : "*",
    label: labelOf(each),
    rest: without(each, PORT_FIELDS),
  }));
}

function unnamedPort(index: number): Port {
  return { id: `output-${index}`, name: `output_${index}`, type: "*", label: null, rest: {} };
}

function readGroups(listed: Value | undefined, counted: number): { groups: Map<GroupId, Group>; last: number } {
  const entries = objects(listed);
  const ids = entries.map((each) => identifier(each["id"]) ?? "");
  let last = lastId(ids, counted);
  const groups = new Map<GroupId, Group>();
  entries.forEach((each, i) => {
    const [own, color] = [ids[i] ?? "", each["color"]];
    const id = own === "" || groups.has(own) ? String((last += 1)) : own;
    const [x, y, width, height] = fourNumbers(each["bounding"]);
    const rest = without(each, GROUP_FIELDS);
    if (own === "") rememberUnnumbered(rest);
    const place = { x, y, width, height };
    groups.set(id, {
      id,
      title: asText(each["title"]),
      ...place,
      color: typeof color === "string" ? color : null,
      rest,
    });
  });
  return { groups, last };
}

function fourNumbers(value: Value | undefined): readonly [number, number, number, number] {
  const listed = Array.isArray(value) ? (value as readonly Value[]) : isObject(value) ? Object.values(value) : [];
  const at = (place: number, otherwise: number): number => {
    const found = finite(listed[place]);
    return found !== null && Math.abs(found) <= FARTHEST ? found : otherwise;
  };
  return [at(0, 0), at(1, 0), at(2, 200), at(3, 100)];
}

function cornerOf(node: Value | undefined, x: number): { x: number; y: number } {
  const [left, top] = readPair(isObject(node) ? node["bounding"] : null, x, 0);
  return { x: left, y: top };
}

/** The highest number given so far, as the file counts or as its ids show. */
function lastId(ids: Iterable<string>, counted: number): number {
  let last = counted;
  for (const id of ids) if (/^\d{1,15}$/.test(id)) last = Math.max(last, Number(id));
  return last;
}

function counter(source: JsonObject, of: "Node" | "Link" | "Group"): number {
  const state = isObject(source["state"]) ? source["state"] : {};
  const told = [source[`last_${of.toLowerCase()}_id`], state[`last${of}Id`]].map(finite);
  return Math.max(0, ...told.filter((each) => each !== null && Number.isInteger(each) && each < 1e15).map(Number));
}

// ------------------------------------------------------------------------------------------------------------ writing

/** Nodes, links and groups as a file has them; `asLists`: links in the encoding of version 0.4. */
export function writeGraphBody(graph: Graph, kindOf: (type: string) => Kind, asLists: boolean): JsonObject {
  const into = new Map<NodeId, Map<number, Value>>();
  const outOf = new Map<NodeId, Map<number, Value[]>>();
  for (const link of graph.links.values()) {
    const id = writtenId(link.id);
    at(into, link.target, () => new Map<number, Value>()).set(link.targetSlot, id);
    const outputs = at(outOf, link.origin, () => new Map<number, Value[]>());
    at(outputs, link.originSlot, () => []).push(id);
  }
  const nodes = [...graph.nodes.values()].map((node) =>
    writeDrawnNode(node, kindOf(node.type), into.get(node.id) ?? new Map(), outOf.get(node.id) ?? new Map()),
  );
  const links = [...graph.links.values()].map((link) => (asLists ? linkAsList(link) : linkAsObject(link)));
  return { nodes, links, groups: writeGroups(graph, asLists) };
}

/** The ports of a sub-graph with the links at each. */
export function writePorts(graph: Graph, side: "input" | "output"): JsonObject[] {
  const links = new Map<number, Value[]>();
  for (const link of graph.links.values()) {
    const isMine = side === "input" ? link.origin === INPUT_NODE : link.target === OUTPUT_NODE;
    if (isMine) at(links, side === "input" ? link.originSlot : link.targetSlot, () => []).push(writtenId(link.id));
  }
  return (side === "input" ? graph.inputs : graph.outputs).map((port, i) => ({
    id: port.id,
    name: port.name,
    type: port.type,
    linkIds: links.get(i) ?? [],
    ...(port.label === null ? {} : { label: port.label }),
    ...port.rest,
  }));
}

function at<K, V>(map: Map<K, V>, key: K, otherwise: () => V): V {
  const known = map.get(key) ?? otherwise();
  map.set(key, known);
  return known;
}

function linkAsList(link: Link): Value {
  const { id, origin, originSlot, target, targetSlot, type } = link;
  return [writtenId(id), writtenId(origin), originSlot, writtenId(target), targetSlot, type];
}

function linkAsObject(link: Link): Value {
  return {
    id: writtenId(link.id),
    origin_id: writtenId(link.origin),
    origin_slot: link.originSlot,
    target_id: writtenId(link.target),
    target_slot: link.targetSlot,
    type: link.type,
    ...link.rest,
  };
}

/** Without ids where the file had none and counting them anew gives the same. */
function writeGroups(graph: Graph, asLists: boolean): JsonObject[] {
  const groups = [...graph.groups.values()];
  const isCounted = groups.every(({ id, rest }, i) => isUnnumbered(rest) && id === String(i + 1));
  // Sub-graphs and files of version 1 tell the last id too.
  if (!isCounted || !asLists || graph.lastGroup !== groups.length) return groups.map(writeGroup);
  return groups.map((group) => without(writeGroup(group), new Set(["id"])));
}

function writeGroup(group: Group): JsonObject {
  return {
    id: writtenId(group.id),
    title: group.title,
    bounding: [group.x, group.y, group.width, group.height],
    ...(group.color === null ? {} : { color: group.color }),
    ...group.rest,
  };
}
