/**
 * Packs nodes into a sub-graph: they move inside, one instance takes their place, wires across the border get ports.
 * Where no wire crosses it, the instance has a port for each end that is free, and shows the values inside.
 */

import { DRAWN_KINDS, newInstance } from "../create";
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
import { layoutOfPorts } from "../geometry";
import type { OutputEnd, SlotEnd } from "../links";
import { done, type Outcome, reason, refused } from "../reason";
import { isAny } from "../sockets";
import { withLinks } from "./graph_change";
import { boundsOf, type Box, type Sizes } from "./groups";
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

/** An input that nothing feeds, and the port that will. */
interface Opening {
  readonly port: Port;
  readonly end: SlotEnd;
}

/** What is to become the ports of the sub-graph. `free`: the last of its inputs, with no wire outside. */
interface Gates {
  readonly inputs: readonly Gate[];
  readonly free: readonly Opening[];
  readonly outputs: readonly Gate[];
}

/** Between the nodes inside and the cards with the ports. */
const BESIDE = 100;
/** More values inside than this are not all shown outside. */
const MOST_SHOWN = 12;

export function pack(
  document: Document,
  graphId: GraphId,
  selection: Partial<Selection>,
  name: string,
  sizes?: Sizes,
): Outcome<Packed> {
  const graph = graphOf(document, graphId);
  const chosen = selection.nodes ?? new Set();
  const nodes = graph === null ? [] : [...graph.nodes.values()].filter((node) => chosen.has(node.id));
  if (graph === null || nodes.length === 0) return refused(reason("reason.nothing_selected"));
  const border = borderOf(graph, new Set(nodes.map((node) => node.id)));
  const isAlone = border.incoming.length + border.outgoing.length === 0;
  const gates: Gates = {
    inputs: gatesOf(border.incoming, (link) => entrance(graph, link)),
    free: isAlone ? openingsOf(nodes, border) : [],
    outputs: isAlone ? exitsOf(nodes, border) : gatesOf(border.outgoing, (link) => exit(graph, link)),
  };
  const definition = definitionOf(graph, nodes, border, gates, selection, name, sizes);
  const id = String(graph.lastNode + 1);
  const box = boundsOf(nodes) ?? { x: 0, y: 0, width: 0, height: 0 };
  const fresh = newInstance(definition, id, { x: 0, y: 0 });
  const instance = {
    ...fresh,
    promoted: [...(fresh.promoted ?? []), ...(isAlone ? shownOf(nodes, border) : [])],
    x: Math.round(box.x + (box.width - fresh.width) / 2),
    y: Math.round(box.y + (box.height - fresh.height + TITLE_HEIGHT) / 2),
  };
  const known = { ...document, subgraphs: new Map(document.subgraphs).set(definition.id, definition) };
  const outside = outsideOf(graph, instance, border, gates, selection);
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
function gatesOf(links: readonly Link[], described: (link: Link) => { name: string; type: string }): readonly Gate[] {
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

/** The sockets of nodes that no wire leads to. */
function openingsOf(nodes: readonly Node[], { within }: Border): readonly Opening[] {
  const wired = new Set(within.map((link) => `${link.target} ${link.targetSlot}`));
  const found: Opening[] = [];
  for (const node of nodes) {
    node.inputs.forEach((input, slot) => {
      if (input.isWidget || wired.has(`${node.id} ${slot}`)) return;
      const ports = found.map((each) => each.port);
      found.push({ port: newPort(ports, input.name, input.type), end: { node: node.id, slot } });
    });
  }
  return found;
}

/** The outputs of nodes that no wire leaves from. */
function exitsOf(nodes: readonly Node[], { within }: Border): readonly Gate[] {
  const wired = new Set(within.map(keyOf));
  const found: Gate[] = [];
  for (const node of nodes) {
    node.outputs.forEach((output, slot) => {
      if (wired.has(`${node.id} ${slot}`)) return;
      const ports = found.map((each) => each.port);
      found.push({ port: newPort(ports, output.name, output.type), end: { node: node.id, slot } });
    });
  }
  return found;
}

/** The values inside as the instance shows them: none of notes, and none that a wire gives. */
function shownOf(nodes: readonly Node[], { within }: Border): readonly (readonly [NodeId, string])[] {
  const wired = new Set(within.map((link) => `${link.target} ${link.targetSlot}`));
  const shown = nodes.flatMap((node) => {
    const taken = new Set(node.inputs.filter((_, slot) => wired.has(`${node.id} ${slot}`)).map(({ name }) => name));
    const names = DRAWN_KINDS.has(node.type) ? [] : Object.keys(node.values).filter((name) => !taken.has(name));
    return names.map((name) => [node.id, name] as const);
  });
  return shown.slice(0, MOST_SHOWN);
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
  { inputs, free, outputs }: Gates,
  selection: Partial<Selection>,
  name: string,
  sizes?: Sizes,
): Graph {
  const box = boundsOf(nodes, sizes) ?? { x: 0, y: 0, width: 0, height: 0 };
  const ports = { inputs: [...inputs, ...free].map(({ port }) => port), outputs: outputs.map(({ port }) => port) };
  const entries = placesOf(inputs);
  const inner: Graph = {
    ...emptyGraph(crypto.randomUUID(), name),
    nodes: new Map(nodes.map((node) => [node.id, node])),
    links: new Map(border.within.map((link) => [link.id, link])),
    groups: new Map([...graph.groups].filter(([id]) => selection.groups?.has(id) === true)),
    ...ports,
    ...besides(box, ports),
    lastNode: graph.lastNode,
    lastLink: graph.lastLink,
    lastGroup: graph.lastGroup,
  };
  const entering = border.incoming.map((link) => {
    const originSlot = entries.get(keyOf(link)) ?? 0;
    const type = inputs[originSlot]?.port.type ?? link.type;
    return { ...link, origin: INPUT_NODE, originSlot, type, rest: {} };
  });
  const given = free.map(({ port, end }, i) => ({
    origin: INPUT_NODE,
    originSlot: inputs.length + i,
    target: end.node,
    targetSlot: end.slot,
    type: port.type,
    rest: {},
  }));
  const leaving = outputs.map(({ port, end }, targetSlot) => ({
    origin: end.node,
    originSlot: end.slot,
    target: OUTPUT_NODE,
    targetSlot,
    type: port.type,
    rest: {},
  }));
  return withLinks(inner, [...entering, ...given, ...leaving]);
}

/** Where the cards with the ports stand: at either side of what is inside, level with its middle. */
function besides(
  box: Box,
  { inputs, outputs }: Pick<Graph, "inputs" | "outputs">,
): Pick<Graph, "inputAt" | "outputAt"> {
  const [left, right] = [layoutOfPorts(INPUT_NODE, inputs), layoutOfPorts(OUTPUT_NODE, outputs)];
  const level = (height: number): number => Math.round(box.y + (box.height - height) / 2 + TITLE_HEIGHT);
  return {
    inputAt: { x: Math.round(box.x - BESIDE - left.width), y: level(left.height) },
    outputAt: { x: Math.round(box.x + box.width + BESIDE), y: level(right.height) },
  };
}

function outsideOf(
  graph: Graph,
  instance: Node,
  border: Border,
  { inputs, outputs }: Gates,
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
