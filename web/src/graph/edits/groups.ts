/** Groups: frames with a title that take along what stands in them. */

import {
  type Document,
  type Graph,
  type Group,
  type GroupId,
  type GraphId,
  graphOf,
  type Node,
  type NodeId,
  TITLE_HEIGHT,
} from "../document";
import type { Added } from "./nodes";
import { changeNodes, inGraph } from "./graph_change";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The sizes at which nodes are drawn, where they are not those of the document. */
export type Sizes = ReadonlyMap<NodeId, { readonly width: number; readonly height: number }>;

const MARGIN = 20;
const GROUP_TITLE = 34;
const EMPTY: Box = { x: 0, y: 0, width: 300, height: 200 };

/** A frame around nodes; around an empty place at (0, 0) or `at` when there are none. */
export function addGroup(
  document: Document,
  graphId: GraphId,
  ids: Iterable<NodeId>,
  title: string,
  options: { readonly sizes?: Sizes; readonly box?: Box; readonly color?: string } = {},
): Added {
  const graph = graphOf(document, graphId);
  if (graph === null) return { document, id: "" };
  const id = String(graph.lastGroup + 1);
  const around = framed(boundsOf(nodesOf(graph, ids), options.sizes));
  const box = options.box ?? around ?? EMPTY;
  const group: Group = { id, title, ...box, color: options.color ?? null, rest: {} };
  const after = { ...graph, groups: new Map(graph.groups).set(id, group), lastGroup: graph.lastGroup + 1 };
  return { document: inGraph(document, graphId, () => after), id };
}

/** Changes a frame's title, colour, place or size; nodes stay where they are. */
export function setGroup(
  document: Document,
  graphId: GraphId,
  id: GroupId,
  fields: Partial<Omit<Group, "id" | "rest">>,
): Document {
  return inGraph(document, graphId, (graph) => {
    const group = graph.groups.get(id);
    if (group === undefined) return graph;
    const after = { ...group, ...fields };
    const isWhole = [after.x, after.y, after.width, after.height].every(Number.isFinite);
    const isSame = (Object.keys(fields) as (keyof Group)[]).every((key) => Object.is(group[key], after[key]));
    return isSame || !isWhole ? graph : { ...graph, groups: new Map(graph.groups).set(id, after) };
  });
}

/** Moves a frame and everything in it: nodes, and smaller frames. */
export function moveGroup(
  document: Document,
  graphId: GraphId,
  id: GroupId,
  dx: number,
  dy: number,
  sizes?: Sizes,
): Document {
  if ((dx === 0 && dy === 0) || !Number.isFinite(dx) || !Number.isFinite(dy)) return document;
  return inGraph(document, graphId, (graph) => {
    const group = graph.groups.get(id);
    if (group === undefined) return graph;
    const moved = changeNodes(graph, nodesIn(graph, group, sizes), (node) => ({
      ...node,
      x: node.x + dx,
      y: node.y + dy,
    }));
    const groups = new Map(graph.groups);
    for (const each of graph.groups.values()) {
      if (each.id === id || isInside(each, group)) groups.set(each.id, { ...each, x: each.x + dx, y: each.y + dy });
    }
    return { ...moved, groups };
  });
}

/** Makes a frame as large as what stands in it. */
export function fitGroup(document: Document, graphId: GraphId, id: GroupId, sizes?: Sizes): Document {
  const graph = graphOf(document, graphId);
  const group = graph?.groups.get(id);
  if (graph === null || group === undefined) return document;
  const box = framed(boundsOf(nodesOf(graph, nodesIn(graph, group, sizes)), sizes));
  return box === null ? document : setGroup(document, graphId, id, box);
}

/** The nodes whose middle stands in a frame. */
export function nodesIn(graph: Graph, group: Box, sizes?: Sizes): readonly NodeId[] {
  return [...graph.nodes.values()]
    .filter((node) => {
      const box = boxOf(node, sizes);
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      return x >= group.x && x <= group.x + group.width && y >= group.y && y <= group.y + group.height;
    })
    .map((node) => node.id);
}

/** A node with its title bar. */
export function boxOf(node: Node, sizes?: Sizes): Box {
  const { width, height } = sizes?.get(node.id) ?? node;
  const body = node.isCollapsed ? 0 : height;
  return { x: node.x, y: node.y - TITLE_HEIGHT, width, height: body + TITLE_HEIGHT };
}

/** The smallest box around nodes; null when there are none. */
export function boundsOf(nodes: Iterable<Node>, sizes?: Sizes): Box | null {
  const boxes = [...nodes].map((node) => boxOf(node, sizes));
  if (boxes.length === 0) return null;
  const bounds = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const box of boxes) {
    bounds.left = Math.min(bounds.left, box.x);
    bounds.top = Math.min(bounds.top, box.y);
    bounds.right = Math.max(bounds.right, box.x + box.width);
    bounds.bottom = Math.max(bounds.bottom, box.y + box.height);
  }
  return { x: bounds.left, y: bounds.top, width: bounds.right - bounds.left, height: bounds.bottom - bounds.top };
}

function framed(box: Box | null): Box | null {
  if (box === null) return null;
  return {
    x: box.x - MARGIN,
    y: box.y - MARGIN - GROUP_TITLE,
    width: box.width + 2 * MARGIN,
    height: box.height + 2 * MARGIN + GROUP_TITLE,
  };
}

function nodesOf(graph: Graph, ids: Iterable<NodeId>): readonly Node[] {
  return [...ids].flatMap((id) => graph.nodes.get(id) ?? []);
}

function isInside(inner: Box, outer: Box): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}
