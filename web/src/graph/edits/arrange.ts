/** Finds places for nodes by elkjs: in layers, from left to right, with few crossings. Elk is loaded when first used. */

import type { ELK, ElkNode } from "elkjs";

import type { Point } from "../create";
import {
  type Document,
  type Graph,
  type GraphId,
  graphOf,
  INPUT_NODE,
  type NodeId,
  OUTPUT_NODE,
  TITLE_HEIGHT,
} from "../document";
import { boundsOf, boxOf, type Box, type Sizes } from "./groups";

const OPTIONS = {
  "elk.algorithm": "layered",
  "elk.direction": "RIGHT",
  "elk.layered.spacing.nodeNodeBetweenLayers": "60",
  "elk.spacing.nodeNode": "30",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.separateConnectedComponents": "true",
};

/** Beyond this many nodes a quicker way of placing them inside their layers is used. */
const MANY = 400;

/**
 * Places for nodes ("all" or some), to be given to `moveTo`. The upper left corner of what is arranged stays where it
 * was; the boundary nodes of a sub-graph come along when everything is arranged.
 */
export async function arrange(
  document: Document,
  graphId: GraphId,
  nodes: Iterable<NodeId> | "all",
  sizes?: Sizes,
): Promise<ReadonlyMap<NodeId, Point>> {
  const graph = graphOf(document, graphId);
  if (graph === null) return new Map();
  const ids = new Set(nodes === "all" ? graph.nodes.keys() : nodes);
  const boxes = boxesOf(graph, ids, nodes === "all", sizes);
  const before = boundsOf(
    [...ids].flatMap((id) => graph.nodes.get(id) ?? []),
    sizes,
  );
  if (before === null) return new Map();
  const laidOut = await (await elk()).layout(elkGraph(graph, boxes));
  return placesIn(laidOut, boxes, before);
}

let loaded: Promise<ELK> | null = null;

function elk(): Promise<ELK> {
  loaded ??= import("elkjs/lib/elk.bundled.js").then((module) => new module.default());
  return loaded;
}

const BOUNDARY = { width: 140, height: 60 };

function boxesOf(graph: Graph, ids: ReadonlySet<NodeId>, isAll: boolean, sizes?: Sizes): ReadonlyMap<NodeId, Box> {
  const boxes = new Map<NodeId, Box>();
  for (const id of ids) {
    const node = graph.nodes.get(id);
    if (node !== undefined) boxes.set(id, boxOf(node, sizes));
  }
  if (!isAll) return boxes;
  if (graph.inputs.length > 0) boxes.set(INPUT_NODE, { ...graph.inputAt, ...BOUNDARY });
  if (graph.outputs.length > 0) boxes.set(OUTPUT_NODE, { ...graph.outputAt, ...BOUNDARY });
  return boxes;
}

function elkGraph(graph: Graph, boxes: ReadonlyMap<NodeId, Box>): ElkNode {
  const quick = boxes.size > MANY ? { "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF" } : {};
  return {
    id: "graph",
    layoutOptions: { ...OPTIONS, ...quick },
    children: [...boxes].map(([id, { width, height }]) => ({ id, width, height, ...sideOf(id) })),
    edges: [...graph.links.values()]
      .filter((link) => boxes.has(link.origin) && boxes.has(link.target))
      .map((link) => ({ id: `link ${link.id}`, sources: [link.origin], targets: [link.target] })),
  };
}

/** The boundary of a sub-graph stands first and last. */
function sideOf(id: NodeId): { readonly layoutOptions?: Record<string, string> } {
  if (id === INPUT_NODE) return { layoutOptions: { "elk.layered.layering.layerConstraint": "FIRST" } };
  if (id === OUTPUT_NODE) return { layoutOptions: { "elk.layered.layering.layerConstraint": "LAST" } };
  return {};
}

function placesIn(laidOut: ElkNode, boxes: ReadonlyMap<NodeId, Box>, before: Box): ReadonlyMap<NodeId, Point> {
  const children = (laidOut.children ?? []).filter((child) => boxes.has(child.id));
  const inner = children.filter((child) => child.id !== INPUT_NODE && child.id !== OUTPUT_NODE);
  const left = Math.min(...inner.map((child) => child.x ?? 0));
  const top = Math.min(...inner.map((child) => child.y ?? 0));
  return new Map(
    children.map((child) => {
      const isBoundary = child.id === INPUT_NODE || child.id === OUTPUT_NODE;
      const x = before.x + (child.x ?? 0) - left;
      const y = before.y + (child.y ?? 0) - top + (isBoundary ? 0 : TITLE_HEIGHT);
      return [child.id, { x: Math.round(x), y: Math.round(y) }];
    }),
  );
}
