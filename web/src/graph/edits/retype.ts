/**
 * The types of what has none of its own: a Reroute passes on the type of what feeds it, or takes that of what it feeds;
 * a PrimitiveNode becomes what the first widget is that it is wired to, and takes over that widget's value.
 */

import { DRAWN_VALUE, UNWIRED_PRIMITIVE } from "../create";
import {
  type Graph,
  INPUT_NODE,
  type Link,
  type Node,
  type NodeId,
  OUTPUT_NODE,
  PRIMITIVE,
  REROUTE,
} from "../document";
import { linkInto, linksFrom } from "../links";
import { isAny } from "../sockets";
import { changeNode, mapLinks, patched } from "./graph_change";

/** The graph with the types of its reroutes and primitives as its links say. */
export function retyped(graph: Graph): Graph {
  let result = graph;
  for (const node of graph.nodes.values()) if (node.type === PRIMITIVE) result = retypedPrimitive(result, node);
  const known = new Map<NodeId, string>();
  const changed = new Map<NodeId, string>();
  for (const node of graph.nodes.values()) {
    if (node.type !== REROUTE) continue;
    const type = typeThrough(result, node.id, known);
    if (node.outputs[0]?.type !== type) changed.set(node.id, type);
  }
  for (const [id, type] of changed) result = withOutputType(result, id, type);
  return retypedPorts(retypedLinks(result, changed));
}

/** What an input of the sub-graph is inside: its own type, else that of the first thing it feeds. */
export function portType(graph: Graph, index: number): string {
  const told = graph.inputs[index]?.type ?? "*";
  if (!isAny(told)) return told;
  const fed = linksFrom(graph, INPUT_NODE, index).flatMap((link) =>
    graph.nodes.get(link.target)?.type === REROUTE ? typesFedBy(graph, link.target) : [targetType(graph, link)],
  );
  return fed.find((type) => !isAny(type)) ?? told;
}

/** A port for anything becomes what it first feeds. */
function retypedPorts(graph: Graph): Graph {
  const types = graph.inputs.map((_, index) => portType(graph, index));
  if (graph.inputs.every((port, index) => port.type === types[index])) return graph;
  return { ...graph, inputs: graph.inputs.map((port, index) => ({ ...port, type: types[index] ?? port.type })) };
}

/** The concrete types that the wires behind a reroute end in. */
export function typesFedBy(graph: Graph, reroute: NodeId): readonly string[] {
  const found: string[] = [];
  const waiting = [reroute];
  const seen = new Set<NodeId>();
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    for (const link of linksFrom(graph, id, 0)) {
      if (graph.nodes.get(link.target)?.type === REROUTE) waiting.push(link.target);
      else found.push(targetType(graph, link));
    }
  }
  return found.filter((type) => !isAny(type));
}

/** The type of an output: of a node, or of an input of the sub-graph itself. */
export function originType(graph: Graph, link: Pick<Link, "origin" | "originSlot">): string {
  if (link.origin === INPUT_NODE) return portType(graph, link.originSlot);
  return graph.nodes.get(link.origin)?.outputs[link.originSlot]?.type ?? "*";
}

/** The type of an input: of a node, or of an output of the sub-graph itself. */
export function targetType(graph: Graph, link: Pick<Link, "target" | "targetSlot">): string {
  if (link.target === OUTPUT_NODE) return graph.outputs[link.targetSlot]?.type ?? "*";
  return graph.nodes.get(link.target)?.inputs[link.targetSlot]?.type ?? "*";
}

function typeThrough(graph: Graph, start: NodeId, known: Map<NodeId, string>): string {
  const way = new Set<NodeId>();
  let top = start;
  let link = linkInto(graph, top, 0);
  while (!known.has(top) && !way.has(top)) {
    way.add(top);
    link = linkInto(graph, top, 0);
    if (link === null || graph.nodes.get(link.origin)?.type !== REROUTE) break;
    top = link.origin;
  }
  const given = link === null || graph.nodes.get(link.origin)?.type === REROUTE ? "*" : originType(graph, link);
  const type = known.get(top) ?? (isAny(given) ? (typesFedBy(graph, top)[0] ?? "*") : given);
  for (const id of way) known.set(id, type);
  return type;
}

function retypedPrimitive(graph: Graph, node: Node): Graph {
  const first = linksFrom(graph, node.id, 0)[0];
  const output = node.outputs[0];
  if (output === undefined) return graph;
  if (first === undefined) {
    if (isAny(output.type)) return graph;
    const outputs = [{ ...output, name: UNWIRED_PRIMITIVE, type: "*" }];
    return changeNode(graph, node.id, (each) => ({ ...each, outputs, values: {}, controls: {} }));
  }
  const type = targetType(graph, first);
  if (output.type === type) return graph;
  const target = graph.nodes.get(first.target);
  const name = target?.inputs[first.targetSlot]?.name ?? type;
  const value = target?.values[name];
  const control = target?.controls[name];
  const wasHolding = !isAny(output.type) || DRAWN_VALUE in node.values;
  const fields: Partial<Node> = { outputs: [{ ...output, name, type }, ...node.outputs.slice(1)] };
  const taken: Partial<Node> = {
    values: value === undefined ? {} : { [DRAWN_VALUE]: value },
    controls: control === undefined ? {} : { [DRAWN_VALUE]: control },
  };
  const changed = changeNode(graph, node.id, (each) => ({ ...each, ...fields, ...(wasHolding ? {} : taken) }));
  return retypedLinks(changed, new Map([[node.id, type]]));
}

function withOutputType(graph: Graph, id: NodeId, type: string): Graph {
  return changeNode(graph, id, (node) => {
    const [first, ...others] = node.outputs;
    return first === undefined ? node : patched(node, { outputs: [{ ...first, type }, ...others] });
  });
}

function retypedLinks(graph: Graph, types: ReadonlyMap<NodeId, string>): Graph {
  if (types.size === 0) return graph;
  return mapLinks(graph, (link) => {
    const type = types.get(link.origin);
    return type === undefined || link.type === type || link.originSlot !== 0 ? link : { ...link, type };
  });
}
