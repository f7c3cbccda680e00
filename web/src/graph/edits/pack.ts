/** Packs nodes into a sub-graph: they move inside, one instance takes their place, wires across the border get ports. */

import { newInstance } from "../create";
import {
  type Document,
  emptyGraph,
  type Graph,
  type GraphId,
  graphOf,
  INPUT_NODE,
  type Link,
  type Node,
  type NodeId,
  OUTPUT_NODE,
  type Port,
  type Selection,
  TITLE_HEIGHT,
} from "../document";
import type { OutputEnd } from "../links";
import { done, type Outcome, reason, refused } from "../reason";
import { isAny } from "../sockets";
import { withLinks } from "./graph_change";
import { boundsOf } from "./groups";
import { newPort } from "./links";
import { mirrored, settled } from "./mirror";
import { originType, targetType } from "./retype";

export interface Packed {
  readonly document: Document;
  /** The instance that stands where the nodes were. */
  readonly id: NodeId;
  readonly definition: GraphId;
}

/** The wires of a selection, sorted by which side of the border their ends are on. */
interface Border {
  readonly within: readonly Link[];
  readonly incoming: readonly Link[];
  readonly outgoing: readonly Link[];
}

/** One port and the end it stands for: outside for an input, inside for an output. */
interface Gate {
  readonly port: Port;
  readonly end: OutputEnd;
}

const BESIDE = 240;

export function pack(
  document: Document,
  graphId: GraphId,
  selection: Partial<Selection>,
  name: string,
): Outcome<Packed> {
  const graph = graphOf(document, graphId);
  const chosen = selection.nodes ?? new Set();
  const nodes = graph === null ? [] : [...graph.nodes.values()].filter((node) => chosen.has(node.id));
  if (graph === null || nodes.length === 0) return refused(reason("reason.nothing_selected"));
  const border = borderOf(graph, new Set(nodes.map((node) => node.id)));
  const inputs = gates(border.incoming, (link) => entrance(graph, link));
  const outputs = gates(border.outgoing, (link) => exit(graph, link));
  const definition = definitionOf(graph, nodes, border, inputs, outputs, selection, name);
  const id = String(graph.lastNode + 1);
  const box = boundsOf(nodes) ?? { x: 0, y: 0, width: 0, height: 0 };
  const fresh = newInstance(definition, id, { x: 0, y: 0 });
  const instance = {
    ...fresh,
    x: Math.round(box.x + (box.width - fresh.width) / 2),
    y: Math.round(box.y + (box.height - fresh.height + TITLE_HEIGHT) / 2),
  };
  const known = { ...document, subgraphs: new Map(document.subgraphs).set(definition.id, definition) };
  const outside = outsideOf(graph, instance, border, inputs, outputs, selection);
  return done({ document: mirrored(settled(known, outside), definition.id), id, definition: definition.id });
}

function borderOf(graph: Graph, inside: ReadonlySet<NodeId>): Border {
  const links = [...graph.links.values()];
  return {
    within: links.filter((link) => inside.has(link.origin) && inside.has(link.target)),
    incoming: links.filter((link) => !inside.has(link.origin) && inside.has(link.target)),
    outgoing: links.filter((link) => inside.has(link.origin) && !inside.has(link.target)),
  };
}

/** One gate per distinct origin of the wires. */
function gates(links: readonly Link[], described: (link: Link) => { name: string; type: string }): readonly Gate[] {
  const found = new Map<string, Gate>();
  for (const link of links) {
    const key = keyOf(link);
    if (found.has(key)) continue;
    const { name, type } = described(link);
    const ports = [...found.values()].map((gate) => gate.port);
    found.set(key, { port: newPort(ports, name, type), end: { node: link.origin, slot: link.originSlot } });
  }
  return [...found.values()];
}

function entrance(graph: Graph, link: Link): { name: string; type: string } {
  const slot = graph.nodes.get(link.target)?.inputs[link.targetSlot];
  const wanted = targetType(graph, link);
  return { name: slot?.name ?? "", type: isAny(wanted) ? originType(graph, link) : wanted };
}

function exit(graph: Graph, link: Link): { name: string; type: string } {
  const slot = graph.nodes.get(link.origin)?.outputs[link.originSlot];
  return { name: slot?.name ?? "", type: originType(graph, link) };
}

function keyOf(link: Link): string {
  return `${link.origin} ${link.originSlot}`;
}

/** For each end of a gate its place among the ports. */
function placesOf(gates: readonly Gate[]): ReadonlyMap<string, number> {
  return new Map(gates.map(({ end }, i) => [`${end.node} ${end.slot}`, i]));
}

function definitionOf(
  graph: Graph,
  nodes: readonly Node[],
  border: Border,
  inputs: readonly Gate[],
  outputs: readonly Gate[],
  selection: Partial<Selection>,
  name: string,
): Graph {
  const box = boundsOf(nodes) ?? { x: 0, y: 0, width: 0, height: 0 };
  const middle = Math.round(box.y + box.height / 2);
  const entries = placesOf(inputs);
  const inner: Graph = {
    ...emptyGraph(crypto.randomUUID(), name),
    nodes: new Map(nodes.map((node) => [node.id, node])),
    links: new Map(border.within.map((link) => [link.id, link])),
    groups: new Map([...graph.groups].filter(([id]) => selection.groups?.has(id) === true)),
    inputs: inputs.map((gate) => gate.port),
    outputs: outputs.map((gate) => gate.port),
    inputAt: { x: Math.round(box.x - BESIDE), y: middle },
    outputAt: { x: Math.round(box.x + box.width + BESIDE / 2), y: middle },
    lastNode: graph.lastNode,
    lastLink: graph.lastLink,
    lastGroup: graph.lastGroup,
  };
  const entering = border.incoming.map((link) => {
    const originSlot = entries.get(keyOf(link)) ?? 0;
    const type = inputs[originSlot]?.port.type ?? link.type;
    return { ...link, origin: INPUT_NODE, originSlot, type, rest: {} };
  });
  const leaving = outputs.map(({ port, end }, targetSlot) => ({
    origin: end.node,
    originSlot: end.slot,
    target: OUTPUT_NODE,
    targetSlot,
    type: port.type,
    rest: {},
  }));
  return withLinks(inner, [...entering, ...leaving]);
}

function outsideOf(
  graph: Graph,
  instance: Node,
  border: Border,
  inputs: readonly Gate[],
  outputs: readonly Gate[],
  selection: Partial<Selection>,
): Graph {
  const inside = new Set([...border.within, ...border.incoming, ...border.outgoing].map((link) => link.id));
  const exits = placesOf(outputs);
  const rest: Graph = {
    ...graph,
    nodes: new Map([
      ...[...graph.nodes].filter(([id]) => selection.nodes?.has(id) !== true),
      [instance.id, instance] as const,
    ]),
    links: new Map([...graph.links].filter(([id]) => !inside.has(id))),
    groups: new Map([...graph.groups].filter(([id]) => selection.groups?.has(id) !== true)),
    lastNode: graph.lastNode + 1,
  };
  const into = inputs.map(({ port, end }, targetSlot) => ({
    origin: end.node,
    originSlot: end.slot,
    target: instance.id,
    targetSlot,
    type: port.type,
    rest: {},
  }));
  const out = border.outgoing.map((link) => ({
    ...link,
    origin: instance.id,
    originSlot: exits.get(keyOf(link)) ?? 0,
    rest: {},
  }));
  return withLinks(rest, [...into, ...out]);
}
