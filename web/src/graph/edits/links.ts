/** Draws wires, cuts them, leads them through reroutes and around what is removed. */

import { newNode, type Point } from "../create";
import {
  type Document,
  type Graph,
  type GraphId,
  graphOf,
  INPUT_NODE,
  type Link,
  type LinkId,
  type Node,
  type NodeId,
  OUTPUT_NODE,
  type Port,
  REROUTE,
} from "../document";
import { type InputEnd, linkInto, linksInto, linksOutOf, type OutputEnd, type SlotEnd } from "../links";
import { inputsAt } from "../node_inputs";
import type { NodeTypes } from "../node_type";
import { done, type Outcome, reason, refused } from "../reason";
import { canConnect, slotOf } from "../rules";
import { areCompatible, isAny, throughBypassed } from "../sockets";
import { isWidget } from "../widgets";
import { nextNodeId, withLinks, withNode } from "./graph_change";
import { settled } from "./mirror";
import { type Added, removeSelection } from "./nodes";
import { originType, targetType } from "./retype";
import { reshaped, withInputPorts, withOutputPorts } from "./slots";
import { converted } from "./values";

/**
 * Wires an output to an input, in place of what the input had. A widget becomes an input. At the boundary of a
 * sub-graph the place behind the last port makes a new one.
 */
export function connect(
  document: Document,
  graphId: GraphId,
  types: NodeTypes,
  from: OutputEnd,
  to: InputEnd,
): Outcome<Document> {
  const why = canConnect(document, graphId, types, from, to);
  const graph = graphOf(document, graphId);
  if (why !== null || graph === null) return refused(why ?? reason("reason.no_such_slot"));
  const ready = "widget" in to ? converted(document, graph, types, to.node, to.widget) : graph;
  const slot = slotOf(ready, to);
  if (slot === null) return refused(reason("reason.no_such_slot"));
  const target = { node: to.node, slot };
  const before = linkInto(ready, target.node, slot);
  if (before !== null && before.origin === from.node && before.originSlot === from.slot) return done(document);
  const wired = joined(withNewPorts(ready, from, target), from, target);
  const type = types.get(wired.nodes.get(to.node)?.type ?? "");
  return done(settled(document, type === undefined ? wired : reshaped(wired, to.node, type)));
}

/** Cuts wires. */
export function disconnect(document: Document, graphId: GraphId, links: Iterable<LinkId>): Document {
  return removeSelection(document, graphId, { links: new Set(links) });
}

/** Cuts every wire of a node. */
export function disconnectNode(document: Document, graphId: GraphId, id: NodeId): Document {
  const graph = graphOf(document, graphId);
  if (graph === null) return document;
  return disconnect(
    document,
    graphId,
    [...linksInto(graph, id), ...linksOutOf(graph, id)].map((link) => link.id),
  );
}

/** Wires a node to one end with the first of its slots that fits; the document as it was when none does. */
export function connectFitting(
  document: Document,
  graphId: GraphId,
  types: NodeTypes,
  id: NodeId,
  end: { readonly from: OutputEnd } | { readonly to: InputEnd },
): Document {
  const graph = graphOf(document, graphId);
  const node = graph?.nodes.get(id);
  if (graph === null || node === undefined) return document;
  const pairs: readonly (readonly [OutputEnd, InputEnd])[] =
    "from" in end
      ? inputEndsOf(document, graph, types, node).map((to) => [end.from, to] as const)
      : node.outputs.map((_, slot) => [{ node: id, slot }, end.to] as const);
  for (const [from, to] of pairs) {
    const outcome = connect(document, graphId, types, from, to);
    if (outcome.ok) return outcome.value;
  }
  return document;
}

/** Puts a reroute into a wire. */
export function insertReroute(document: Document, graphId: GraphId, linkId: LinkId, at: Point): Outcome<Added> {
  const graph = graphOf(document, graphId);
  const link = graph?.links.get(linkId);
  if (graph === null || link === undefined) return refused(reason("reason.no_such_slot"));
  const id = nextNodeId(graph);
  const reroute = newNode(new Map(), REROUTE, id, at);
  const [from, to] = endsOf(link);
  const links = new Map(graph.links);
  links.delete(linkId);
  const first = joined({ ...withNode(graph, reroute), links }, from, { node: id, slot: 0 });
  return done({ document: settled(document, joined(first, { node: id, slot: 0 }, to)), id });
}

/** Removes nodes and leads the wires past them where the types fit, as bypassing them would. */
export function removeAround(document: Document, graphId: GraphId, ids: Iterable<NodeId>): Document {
  const graph = graphOf(document, graphId);
  if (graph === null) return document;
  const gone = new Set(ids);
  const kept: { readonly origin: OutputEnd; readonly target: SlotEnd }[] = [];
  for (const id of gone) {
    for (const link of linksOutOf(graph, id)) {
      if (gone.has(link.target)) continue;
      const origin = originBehind(graph, link, gone);
      if (origin !== null) kept.push({ origin, target: { node: link.target, slot: link.targetSlot } });
    }
  }
  const removed = removeSelection(document, graphId, { nodes: gone });
  const rest = graphOf(removed, graphId);
  if (rest === null || kept.length === 0) return removed;
  return settled(
    removed,
    kept.reduce((each, { origin, target }) => joined(each, origin, target), rest),
  );
}

/** What feeds a link when the nodes on the way hand on what suits; null: nothing. */
function originBehind(graph: Graph, link: Link, gone: ReadonlySet<NodeId>): OutputEnd | null {
  const wanted = targetType(graph, link);
  const seen = new Set<string>();
  let at: Link | null = link;
  while (at !== null && gone.has(at.origin)) {
    const node = graph.nodes.get(at.origin);
    const slot = node === undefined ? null : throughBypassed(node, at.originSlot, wanted);
    if (slot === null || seen.has(`${at.origin} ${slot}`)) return null;
    seen.add(`${at.origin} ${slot}`);
    at = linkInto(graph, at.origin, slot);
  }
  if (at === null || !areCompatible(originType(graph, at), wanted)) return null;
  return { node: at.origin, slot: at.originSlot };
}

/** The graph with a wire from an output to a slot, in place of what is there. */
export function joined(graph: Graph, from: OutputEnd, to: SlotEnd): Graph {
  const before = linkInto(graph, to.node, to.slot);
  const links = new Map(graph.links);
  if (before !== null) links.delete(before.id);
  const link = { origin: from.node, originSlot: from.slot, target: to.node, targetSlot: to.slot };
  return withLinks({ ...graph, links }, [{ ...link, type: originType(graph, link), rest: {} }]);
}

/** Where a node can be wired into, sockets before widgets. */
function inputEndsOf(document: Document, graph: Graph, types: NodeTypes, node: Node): readonly InputEnd[] {
  const slots = node.inputs.map((_, slot) => ({ node: node.id, slot }));
  const names = new Set(node.inputs.map((slot) => slot.name));
  const widgets = inputsAt(document, graph, types, node).filter((each) => isWidget(each) && !names.has(each.name));
  return [...slots, ...widgets.map(({ name }) => ({ node: node.id, widget: name }))];
}

function endsOf(link: Link): readonly [OutputEnd, SlotEnd] {
  return [
    { node: link.origin, slot: link.originSlot },
    { node: link.target, slot: link.targetSlot },
  ];
}

/** The sub-graph with a port where a wire goes to or from the place behind its last one. */
function withNewPorts(graph: Graph, from: OutputEnd, to: SlotEnd): Graph {
  let result = graph;
  if (from.node === INPUT_NODE && from.slot === graph.inputs.length) {
    const node = graph.nodes.get(to.node);
    const slot = node?.inputs[to.slot];
    const type = (node?.type === REROUTE ? node.outputs[0]?.type : slot?.type) ?? "*";
    const port = newPort(graph.inputs, slot?.name ?? "", type);
    result = withInputPorts(result, [...graph.inputs, port]);
  }
  if (to.node === OUTPUT_NODE && to.slot === graph.outputs.length) {
    const slot = graph.nodes.get(from.node)?.outputs[from.slot] ?? graph.inputs[from.slot];
    const port = newPort(graph.outputs, slot?.name ?? "", slot?.type ?? "*");
    result = withOutputPorts(result, [...graph.outputs, port]);
  }
  return result;
}

/** A port with a name that no other has; files tell them apart by their names. */
export function newPort(ports: readonly Port[], wanted: string, type: string): Port {
  const base = wanted !== "" ? wanted : isAny(type) ? "value" : type.toLowerCase();
  const names = new Set(ports.map((port) => port.name));
  let name = base;
  for (let count = 1; names.has(name); count += 1) name = `${base}_${count}`;
  return { id: crypto.randomUUID(), name, type, label: null, rest: {} };
}
