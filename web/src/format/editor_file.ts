/**
 * A workflow file of the editor becomes a document, and a document a file.
 *
 *     const outcome = read(json, types);
 *     const json = write(document, types);
 *
 * What is known is read into its place, values by name where the node's type is known; everything else is kept and
 * written back. Reading mends what is broken (links to nowhere, ids given twice) and says so.
 */

import { type Document, type Graph, type GraphId, type Node, ROOT } from "@/graph/document";
import type { NodeTypes } from "@/graph/node_type";
import { done, type Outcome, type Reason, reason, refused } from "@/graph/reason";
import { isObject, type JsonObject, sameValue, type Value } from "@/graph/value";

import { mendedGraph, readGraphBody, writeGraphBody, writePorts } from "./editor_graph";
import { without } from "./editor_node";
import { type Boundary, boundaryOf, type Kind, kindOf } from "./editor_values";
import { definitionsIn, type FileGraph, groupsIn, isEditorFile, isSet, readGraph } from "./file_graph";
import { isDrawnByPlugin } from "./file_links";
import { inOrder, Named, walk } from "./file_widgets";
import { RepairNotes } from "./repair_notes";
import { livingFloating, livingReroutes } from "./waypoints";

export interface ReadFile {
  readonly document: Document;
  readonly notes: readonly Reason[];
}

/** What is written by `write` from other parts of a document, and so is not kept in `rest`. */
const COUNTERS = ["last_node_id", "last_link_id", "last_group_id"];
const ROOT_FIELDS: ReadonlySet<string> = new Set(["id", "nodes", "links", "groups", ...COUNTERS]);
const GRAPH_FIELDS: ReadonlySet<string> = new Set(["name", "inputs", "outputs", ...ROOT_FIELDS]);

const SIZE_OF_BOUNDARY = [120, 60] as const;

// ------------------------------------------------------------------------------------------------------------ reading

export function read(json: Value, types: NodeTypes): Outcome<ReadFile> {
  if (!isEditorFile(json)) return refused(reason("reason.file_without_nodes", { name: "" }));
  const notes = new RepairNotes();
  const root = mendedGraph(json, notes);
  if (notes.oddNodes > 0 && !isSet(root["nodes"])) return refused(reason("reason.file_without_readable_node"));
  const definitions = new Map<GraphId, { source: JsonObject; drawn: FileGraph }>();
  for (const [id, each] of definitionsIn(json)) {
    if (id === ROOT || !Array.isArray(each["nodes"])) {
      notes.oddSubgraphs += 1;
      continue;
    }
    const source = mendedGraph(each, notes);
    definitions.set(id, { source, drawn: readGraph(source, id) });
  }
  const groups = groupsIn(json);
  const kind = (type: string): Kind => {
    const found = kindOf(type, types, (id) => definitions.get(id)?.drawn, groups);
    if (found.is === "unknown" && !isDrawnByPlugin(type)) notes.unknownType(type);
    return found;
  };
  const isModern = isOfModernEditor(json);
  const drawn = readGraph(root, "");
  const subgraphs = [...definitions].map(([id, each]): [GraphId, Graph] => {
    const graph = readGraphBody(id, each.source, each.drawn, kind, true, notes);
    return [id, { ...graph, rest: withLivingWaypoints(restOfGraph(each.source), graph) }];
  });
  const told = json["id"];
  const body = readGraphBody(ROOT, root, drawn, kind, isModern, notes);
  const document: Document = {
    id: typeof told === "string" && told !== "" ? told : crypto.randomUUID(),
    root: body,
    subgraphs: new Map(subgraphs),
    rest: restOfRoot(json, body),
  };
  return done({ document, notes: notes.reasons() });
}

/**
 * Names the values of nodes whose type became known after their file was read; the same document when there are none.
 */
export function adopt(document: Document, types: NodeTypes): Document {
  const groups = groupsOf(document);
  const isAdoptable = (node: Node): boolean => {
    const kind = kindOf(node.type, types, (id) => boundaryIn(document, id), groups);
    if (kind.is !== "known") return false;
    if (node.raw !== null) return true;
    const widgets = walk(inOrder(kind.type.inputs), node.inputs, new Named(node.values));
    return widgets.some(({ input, value }) => value !== undefined && !Object.hasOwn(node.values, input.name));
  };
  const isNew = (each: Graph | Node): boolean => settled.get(each) !== types;
  const graphs = [document.root, ...document.subgraphs.values()].filter(isNew);
  const isAny = graphs.some((graph) => [...graph.nodes.values()].some((node) => isNew(node) && isAdoptable(node)));
  const found = isAny ? read(write(document, types), types) : null;
  const adopted = found?.ok === true ? found.value.document : document;
  for (const graph of adopted === document ? graphs : [adopted.root, ...adopted.subgraphs.values()]) {
    for (const each of [graph, ...graph.nodes.values()]) settled.set(each, types);
  }
  return adopted;
}

/** What has nothing left to be named, so that asking after each edit costs nothing. */
const settled = new WeakMap<Graph | Node, NodeTypes>();

/** What there is to say about nodes whose type nobody knows. */
export function unknownTypes(document: Document, types: NodeTypes): readonly Reason[] {
  const notes = new RepairNotes();
  const groups = groupsOf(document);
  for (const graph of [document.root, ...document.subgraphs.values()]) {
    for (const { type } of graph.nodes.values()) {
      const { is } = kindOf(type, types, (id) => boundaryIn(document, id), groups);
      if (is === "unknown" && !isDrawnByPlugin(type)) notes.unknownType(type);
    }
  }
  return notes.reasons();
}

/** Whether the editor that wrote a file gives every widget a slot (since 1.16), so that a slot says nothing. */
function isOfModernEditor(json: JsonObject): boolean {
  const extra = json["extra"];
  const version = isObject(extra) ? extra["frontendVersion"] : null;
  const [, major, minor] = typeof version === "string" ? (/^(\d{1,4})\.(\d{1,4})/.exec(version) ?? []) : [];
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 16);
}

function restOfRoot(json: JsonObject, root: Graph): JsonObject {
  const { version, definitions, state, extra, ...others } = without(json, ROOT_FIELDS);
  return {
    ...withLivingWaypoints(others, root),
    ...(version === undefined || version === 0.4 ? {} : { version }),
    ...otherDefinitions(definitions),
    ...otherState(state),
    ...(extra === undefined ? {} : { extra: isObject(extra) ? otherExtra(extra, root, json["floatingLinks"]) : extra }),
  };
}

function otherExtra(extra: JsonObject, root: Graph, floating: Value | undefined): JsonObject {
  const { linkExtensions: _, reroutes, ...others } = extra;
  return reroutes === undefined
    ? others
    : { ...others, reroutes: livingReroutes(reroutes, root.links.values(), floating) };
}

function restOfGraph(source: JsonObject): JsonObject {
  const { version, revision, definitions, state, inputNode, outputNode, ...others } = without(source, GRAPH_FIELDS);
  return {
    ...others,
    ...(version === undefined || version === 1 ? {} : { version }),
    ...(revision === undefined || revision === 0 ? {} : { revision }),
    ...otherDefinitions(definitions),
    ...otherState(state),
    ...otherBoundary("inputNode", inputNode),
    ...otherBoundary("outputNode", outputNode),
  };
}

function otherDefinitions(definitions: Value | undefined): JsonObject {
  const others = isObject(definitions) ? without(definitions, new Set(["subgraphs"])) : {};
  return isSet(others) ? { definitions: others } : {};
}

function otherState(state: Value | undefined): JsonObject {
  const { lastRerouteId, ...others } = isObject(state) ? without(state, STATE_FIELDS) : {};
  const kept = { ...others, ...(lastRerouteId === undefined || lastRerouteId === 0 ? {} : { lastRerouteId }) };
  return isSet(kept) ? { state: kept } : {};
}

const STATE_FIELDS: ReadonlySet<string> = new Set(["lastNodeId", "lastLinkId", "lastGroupId"]);

/** What is said about a boundary node besides its id and its corner: its size, when it is not the usual one. */
function otherBoundary(key: "inputNode" | "outputNode", node: Value | undefined): JsonObject {
  if (!isObject(node)) return {};
  const { id: _, bounding, ...others } = node;
  const size = Array.isArray(bounding) ? (bounding as readonly Value[]).slice(2, 4) : [];
  const isUsual = size.length < 2 || sameValue(size, SIZE_OF_BOUNDARY);
  const kept = { ...others, ...(isUsual ? {} : { bounding: [null, null, ...size] }) };
  return isSet(kept) ? { [key]: kept } : {};
}

// ------------------------------------------------------------------------------------------------------------ writing

/** The document as a file: version 0.4 with links as lists, unless the file it came from was of version 1. */
export function write(document: Document, types: NodeTypes): JsonObject {
  const { root, rest } = document;
  const groups = groupsOf(document);
  const kind = (type: string): Kind => kindOf(type, types, (id) => boundaryIn(document, id), groups);
  const version = rest["version"] ?? 0.4;
  const isFirst = version === 0.4;
  const { definitions, extra, state, ...others } = rest;
  const subgraphs = [...document.subgraphs.values()].map((each) => writeSubgraph(each, kind));
  const body = { ...others, ...writeGraphBody(root, kind, isFirst) };
  const listed = { ...(isObject(definitions) ? definitions : {}), ...(subgraphs.length > 0 ? { subgraphs } : {}) };
  return {
    id: document.id,
    ...withLivingWaypoints(body, root),
    ...(isFirst ? countersOf(root) : { state: { ...(isObject(state) ? state : {}), ...stateOf(root) } }),
    ...(isSet(listed) ? { definitions: listed } : {}),
    ...(isFirst ? extraOf(extra, root, rest["floatingLinks"]) : extra === undefined ? {} : { extra }),
    version,
  };
}

function writeSubgraph(graph: Graph, kind: (type: string) => Kind): JsonObject {
  const { version, state, inputNode, outputNode, ...others } = graph.rest;
  return {
    id: graph.id,
    version: version ?? 1,
    revision: 0,
    state: { lastRerouteId: 0, ...(isObject(state) ? state : {}), ...stateOf(graph) },
    name: graph.name,
    inputNode: writeBoundary(inputNode, -10, graph.inputAt),
    outputNode: writeBoundary(outputNode, -20, graph.outputAt),
    inputs: writePorts(graph, "input"),
    outputs: writePorts(graph, "output"),
    ...withLivingWaypoints({ ...others, ...writeGraphBody(graph, kind, false) }, graph),
  };
}

function writeBoundary(kept: Value | undefined, id: number, at: { x: number; y: number }): JsonObject {
  const { bounding, ...others } = isObject(kept) ? kept : {};
  const size = Array.isArray(bounding) ? (bounding as readonly Value[]).slice(2) : SIZE_OF_BOUNDARY;
  return { id, bounding: [at.x, at.y, ...size], ...others };
}

/** Reroutes and floating links of version 1, without those nothing passes through any more. */
function withLivingWaypoints(body: JsonObject, graph: Graph): JsonObject {
  const { reroutes, floatingLinks } = body;
  const floating = floatingLinks === undefined ? undefined : livingFloating(floatingLinks, graph.nodes);
  return {
    ...body,
    ...(floating === undefined ? {} : { floatingLinks: floating }),
    ...(reroutes === undefined ? {} : { reroutes: livingReroutes(reroutes, graph.links.values(), floating) }),
  };
}

/** The same for version 0.4, which keeps them in `extra`. */
function extraOf(extra: Value | undefined, root: Graph, floating: Value | undefined): JsonObject {
  const parents = [...root.links.values()].filter((link) => link.rest["parentId"] !== undefined);
  if (extra !== undefined && !isObject(extra)) return { extra };
  if (extra === undefined && parents.length === 0) return {};
  const reroutes = extra?.["reroutes"];
  const linkExtensions = parents.map((link) => ({ id: Number(link.id), parentId: link.rest["parentId"] ?? null }));
  return {
    extra: {
      ...extra,
      ...(reroutes === undefined ? {} : { reroutes: livingReroutes(reroutes, root.links.values(), floating) }),
      ...(parents.length === 0 ? {} : { linkExtensions }),
    },
  };
}

function countersOf(root: Graph): JsonObject {
  const { lastNode, lastLink, lastGroup } = root;
  const isShown = root.groups.has(String(lastGroup)) || lastGroup === 0;
  // Ours: the form has no place for the last group, and ids are never used twice.
  const group = isShown ? {} : { last_group_id: lastGroup };
  return { last_node_id: lastNode, last_link_id: lastLink, ...group };
}

function stateOf(graph: Graph): JsonObject {
  return { lastNodeId: graph.lastNode, lastLinkId: graph.lastLink, lastGroupId: graph.lastGroup };
}

function groupsOf(document: Document): ReadonlyMap<string, unknown> {
  return groupsIn(document.rest);
}

function boundaryIn(document: Document, id: string): Boundary | undefined {
  const graph = document.subgraphs.get(id);
  return graph === undefined ? undefined : boundaryOf(graph);
}
