/** Adds, removes, moves and dresses nodes. */

import { newInstance, newNode, type Point } from "../create";
import {
  type Document,
  type GraphId,
  graphOf,
  INPUT_NODE,
  type Node,
  type NodeId,
  OUTPUT_NODE,
  ROOT,
  type Selection,
} from "../document";
import { linksOf } from "../links";
import type { NodeTypes } from "../node_type";
import { done, type Outcome, reason, refused } from "../reason";
import { changeNodes, inGraph, nextNodeId, patched, withNode } from "./graph_change";
import { settled, usedBy, withoutUnused } from "./mirror";

export interface Added {
  readonly document: Document;
  /** The new node's id. */
  readonly id: NodeId;
}

/** Adds a node of a type, of a drawn kind, or an instance of one of the document's sub-graphs (see `addInstance`). */
export function addNode(
  document: Document,
  graphId: GraphId,
  types: NodeTypes,
  typeId: string,
  at: Point,
  options: { readonly title?: string } = {},
): Added {
  const graph = graphOf(document, graphId) ?? document.root;
  const id = nextNodeId(graph);
  const node = { ...newNode(types, typeId, id, at), title: options.title ?? null };
  return { document: inGraph(document, graph.id, (each) => withNode(each, node)), id };
}

/** Adds one more instance of a sub-graph. Refused inside itself. */
export function addInstance(document: Document, graphId: GraphId, definitionId: GraphId, at: Point): Outcome<Added> {
  const graph = graphOf(document, graphId);
  const definition = document.subgraphs.get(definitionId);
  if (graph === null || definition === undefined) return refused(reason("reason.not_a_subgraph"));
  if (graphId === definitionId || usedBy(document, definition).has(graphId)) {
    return refused(reason("reason.contains_itself"));
  }
  const id = nextNodeId(graph);
  const node = newInstance(definition, id, at);
  return done({ document: inGraph(document, graphId, (each) => withNode(each, node)), id });
}

/** Removes what is selected; wires of removed nodes go too, what a removed group frames stays. */
export function removeSelection(document: Document, graphId: GraphId, selection: Partial<Selection>): Document {
  const graph = graphOf(document, graphId);
  if (graph === null) return document;
  const gone = [...(selection.nodes ?? [])].filter((id) => graph.nodes.has(id));
  const links = new Map(graph.links);
  for (const id of gone) for (const link of linksOf(graph, id)) links.delete(link.id);
  for (const id of selection.links ?? []) links.delete(id);
  const nodes = new Map(graph.nodes);
  for (const id of gone) nodes.delete(id);
  const groups = new Map(graph.groups);
  for (const id of selection.groups ?? []) groups.delete(id);
  const isLinked = links.size !== graph.links.size;
  if (gone.length === 0 && !isLinked && groups.size === graph.groups.size) return document;
  const after = { ...graph, nodes, links: isLinked ? links : graph.links, groups };
  return withoutUnused(document, settled(document, after));
}

/** Puts nodes (and the boundary nodes of a sub-graph, by their ids) to new places. */
export function moveTo(document: Document, graphId: GraphId, positions: ReadonlyMap<NodeId, Point>): Document {
  return inGraph(document, graphId, (graph) => {
    const moved = changeNodes(graph, positions.keys(), (node) => {
      const at = positions.get(node.id);
      return at === undefined || !isPlace(at) ? node : patched(node, { x: at.x, y: at.y });
    });
    if (graphId === ROOT) return moved;
    const inputAt = positions.get(INPUT_NODE) ?? moved.inputAt;
    const outputAt = positions.get(OUTPUT_NODE) ?? moved.outputAt;
    const isStill = inputAt === moved.inputAt && outputAt === moved.outputAt;
    return isStill ? moved : { ...moved, inputAt: place(inputAt), outputAt: place(outputAt) };
  });
}

/** Moves nodes by as much as (dx, dy). */
export function moveBy(document: Document, graphId: GraphId, ids: Iterable<NodeId>, dx: number, dy: number): Document {
  if ((dx === 0 && dy === 0) || !Number.isFinite(dx) || !Number.isFinite(dy)) return document;
  return change(document, graphId, ids, (node) => ({ ...node, x: node.x + dx, y: node.y + dy }));
}

const MIN_WIDTH = 60;
const MIN_HEIGHT = 20;

export function resize(
  document: Document,
  graphId: GraphId,
  id: NodeId,
  size: { readonly width: number; readonly height: number },
  at?: Point,
): Document {
  if (!Number.isFinite(size.width) || !Number.isFinite(size.height)) return document;
  const width = Math.max(MIN_WIDTH, size.width);
  const height = Math.max(MIN_HEIGHT, size.height);
  const corner = at !== undefined && isPlace(at) ? place(at) : {};
  return change(document, graphId, [id], (node) => patched(node, { width, height, ...corner }));
}

/** null or "": the name of its type again. */
export function setTitle(document: Document, graphId: GraphId, id: NodeId, title: string | null): Document {
  return change(document, graphId, [id], (node) => patched(node, { title: title === "" ? null : title }));
}

/** ALWAYS, MUTED or BYPASSED. */
export function setMode(document: Document, graphId: GraphId, ids: Iterable<NodeId>, mode: number): Document {
  return change(document, graphId, ids, (node) => patched(node, { mode }));
}

export function setCollapsed(
  document: Document,
  graphId: GraphId,
  ids: Iterable<NodeId>,
  isCollapsed: boolean,
): Document {
  return change(document, graphId, ids, (node) => patched(node, { isCollapsed }));
}

/** The colours of the title bar and the body; null: the theme's. */
export function setColor(
  document: Document,
  graphId: GraphId,
  ids: Iterable<NodeId>,
  color: string | null,
  background: string | null,
): Document {
  return change(document, graphId, ids, (node) => patched(node, { color, background }));
}

/** Brings nodes to the front: what is drawn last lies on top. */
export function raise(document: Document, graphId: GraphId, ids: Iterable<NodeId>): Document {
  return inGraph(document, graphId, (graph) => {
    const raised = [...ids].filter((id) => graph.nodes.has(id));
    const top = [...graph.nodes.keys()].slice(-raised.length);
    if (raised.every((id) => top.includes(id))) return graph;
    const nodes = new Map(graph.nodes);
    for (const id of raised) {
      const node = nodes.get(id);
      nodes.delete(id);
      if (node !== undefined) nodes.set(id, node);
    }
    return { ...graph, nodes };
  });
}

function change(document: Document, graphId: GraphId, ids: Iterable<NodeId>, to: (node: Node) => Node): Document {
  return inGraph(document, graphId, (graph) => changeNodes(graph, ids, to));
}

/** Changes the title of a graph's boundary or node; exported for sub-graphs, whose name is their definition's. */
export function renameGraph(document: Document, graphId: GraphId, name: string): Document {
  return inGraph(document, graphId, (graph) => (graph.name === name ? graph : { ...graph, name }));
}

function isPlace(at: Point): boolean {
  return Number.isFinite(at.x) && Number.isFinite(at.y);
}

function place(at: Point): Point {
  return { x: at.x, y: at.y };
}
