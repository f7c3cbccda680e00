/**
 * Finds places for nodes by elkjs: in layers, from left to right, with few crossings, and so that wires are straight:
 * elk is told where on a node each socket is. Elk is loaded when first used.
 */

import type { ELK, ElkNode, ElkPort } from "elkjs";

import type { Point } from "../create";
import {
  type Document,
  type Graph,
  type GraphId,
  graphOf,
  INPUT_NODE,
  type Link,
  type NodeId,
  OUTPUT_NODE,
  REROUTE,
  TITLE_HEIGHT,
} from "../document";
import { layoutOfPorts } from "../geometry";
import { boundsOf, boxOf, type Box } from "./groups";

/** The sizes at which nodes are drawn, and how far below the top of the title bar the sockets are, by slot. */
export type Drawn = ReadonlyMap<NodeId, DrawnNode>;

interface DrawnNode {
  readonly width: number;
  readonly height: number;
  readonly inputs?: readonly number[];
  readonly outputs?: readonly number[];
}

interface Placed {
  readonly box: Box;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

const OPTIONS = {
  "elk.algorithm": "layered",
  "elk.direction": "RIGHT",
  "elk.layered.spacing.nodeNodeBetweenLayers": "60",
  "elk.spacing.nodeNode": "30",
  "elk.layered.spacing.edgeNodeBetweenLayers": "20",
  "elk.layered.layering.strategy": "NETWORK_SIMPLEX",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.layered.nodePlacement.favorStraightEdges": "true",
  "elk.layered.crossingMinimization.forceNodeModelOrder": "false",
  "elk.layered.considerModelOrder.strategy": "PREFER_EDGES",
  "elk.edgeRouting": "SPLINES",
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
  drawn?: Drawn,
): Promise<ReadonlyMap<NodeId, Point>> {
  const graph = graphOf(document, graphId);
  if (graph === null) return new Map();
  const ids = new Set(nodes === "all" ? graph.nodes.keys() : nodes);
  const placed = placedOf(graph, ids, nodes === "all", drawn);
  const before = boundsOf(
    [...ids].flatMap((id) => graph.nodes.get(id) ?? []),
    drawn,
  );
  if (before === null) return new Map();
  const laidOut = await (await elk()).layout(elkGraph(graph, placed));
  return placesIn(laidOut, placed, before);
}

let loaded: Promise<ELK> | null = null;

function elk(): Promise<ELK> {
  loaded ??= import("elkjs/lib/elk.bundled.js").then((module) => new module.default());
  return loaded;
}

function placedOf(graph: Graph, ids: ReadonlySet<NodeId>, isAll: boolean, drawn?: Drawn): ReadonlyMap<NodeId, Placed> {
  const placed = new Map<NodeId, Placed>();
  for (const id of ids) {
    const node = graph.nodes.get(id);
    if (node === undefined) continue;
    const { inputs, outputs } = drawn?.get(id) ?? {};
    const [into, out] = [node.inputs, node.outputs].map((slots) => slots.map((_, i) => TITLE_HEIGHT + 24 * (i + 0.5)));
    // A reroute has no title bar, and yet the place of one above it.
    const below = (places: readonly number[]) => (node.type === REROUTE ? places.map((y) => y + TITLE_HEIGHT) : places);
    const ends = { inputs: below(inputs ?? into ?? []), outputs: below(outputs ?? out ?? []) };
    placed.set(id, { box: boxOf(node, drawn), ...ends });
  }
  if (!isAll) return placed;
  if (graph.inputs.length > 0) placed.set(INPUT_NODE, boundary(graph, INPUT_NODE));
  if (graph.outputs.length > 0) placed.set(OUTPUT_NODE, boundary(graph, OUTPUT_NODE));
  return placed;
}

function boundary(graph: Graph, id: typeof INPUT_NODE | typeof OUTPUT_NODE): Placed {
  const at = id === INPUT_NODE ? graph.inputAt : graph.outputAt;
  const { width, height, inputs, outputs } = layoutOfPorts(id, id === INPUT_NODE ? graph.inputs : graph.outputs);
  return { box: { x: at.x, y: at.y - TITLE_HEIGHT, width, height }, inputs, outputs };
}

function elkGraph(graph: Graph, placed: ReadonlyMap<NodeId, Placed>): ElkNode {
  const quick = placed.size > MANY ? { "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF" } : {};
  const drawn = [...graph.links.values()].filter((link) => {
    const [from, to] = [placed.get(link.origin), placed.get(link.target)];
    return from?.outputs[link.originSlot] !== undefined && to?.inputs[link.targetSlot] !== undefined;
  });
  const links = placed.size > MANY ? drawn : withoutShortcuts(drawn);
  return {
    id: "graph",
    layoutOptions: { ...OPTIONS, ...quick },
    children: [...placed].map(([id, each]) => ({
      id,
      width: each.box.width,
      height: each.box.height,
      ports: [...portsOf(`into ${id}`, each.inputs, 0), ...portsOf(`from ${id}`, each.outputs, each.box.width)],
      layoutOptions: { "elk.portConstraints": "FIXED_POS", ...sideOf(id) },
    })),
    edges: links.map((link) => ({
      id: `link ${link.id}`,
      sources: [`from ${link.origin} ${link.originSlot}`],
      targets: [`into ${link.target} ${link.targetSlot}`],
    })),
  };
}

/**
 * Wires without those that other nodes lie between in any case. Elk would keep room for them past every layer, and what
 * they end in would stand as many steps further down; here they run behind the nodes.
 */
function withoutShortcuts(links: readonly Link[]): readonly Link[] {
  const next = new Map<NodeId, Set<NodeId>>();
  for (const { origin, target } of links) next.set(origin, (next.get(origin) ?? new Set()).add(target));
  return links.filter(({ origin, target }) => !isReachedAround(next, origin, target));
}

function isReachedAround(next: ReadonlyMap<NodeId, ReadonlySet<NodeId>>, from: NodeId, to: NodeId): boolean {
  const waiting = [...(next.get(from) ?? [])].filter((id) => id !== to);
  const seen = new Set(waiting);
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    for (const each of next.get(id) ?? []) {
      if (each === to) return true;
      if (seen.has(each) || each === from) continue;
      seen.add(each);
      waiting.push(each);
    }
  }
  return false;
}

function portsOf(name: string, places: readonly number[], x: number): ElkPort[] {
  const side = x === 0 ? "WEST" : "EAST";
  return places.map((y, slot) => ({
    id: `${name} ${slot}`,
    x,
    y,
    width: 0,
    height: 0,
    layoutOptions: { "elk.port.side": side },
  }));
}

/** The boundary of a sub-graph stands first and last. */
function sideOf(id: NodeId): Record<string, string> {
  if (id === INPUT_NODE) return { "elk.layered.layering.layerConstraint": "FIRST" };
  if (id === OUTPUT_NODE) return { "elk.layered.layering.layerConstraint": "LAST" };
  return {};
}

function placesIn(laidOut: ElkNode, placed: ReadonlyMap<NodeId, Placed>, before: Box): ReadonlyMap<NodeId, Point> {
  const children = (laidOut.children ?? []).filter((child) => placed.has(child.id));
  const inner = children.filter((child) => child.id !== INPUT_NODE && child.id !== OUTPUT_NODE);
  const left = Math.min(...inner.map((child) => child.x ?? 0));
  const top = Math.min(...inner.map((child) => child.y ?? 0));
  return new Map(
    children.map((child) => {
      const x = before.x + (child.x ?? 0) - left;
      const y = before.y + (child.y ?? 0) - top + TITLE_HEIGHT;
      return [child.id, { x: Math.round(x), y: Math.round(y) }];
    }),
  );
}
