/** The boundary of a sub-graph, and the inner widgets that its instances show. Every instance follows. */

import {
  type Document,
  type Graph,
  type GraphId,
  graphOf,
  INPUT_NODE,
  type Node,
  type NodeId,
  type Port,
  withGraph,
} from "../document";
import { linkInto } from "../links";
import { fedBy, valueAt } from "../node_inputs";
import type { NodeTypes } from "../node_type";
import { done, type Outcome, reason, refused } from "../reason";
import { canConvert, slotOf } from "../rules";
import type { Value } from "../value";
import { changeNode, changeNodes, patched } from "./graph_change";
import { joined, newPort } from "./links";
import { mirrored, settled } from "./mirror";
import { withInputPorts, withInputSlots, withOutputPorts } from "./slots";
import { converted } from "./values";

export type Side = "input" | "output";

/** Adds an input or an output to a sub-graph. */
export function addPort(
  document: Document,
  definitionId: GraphId,
  side: Side,
  wanted: { readonly name: string; readonly type: string },
): Document {
  return changePorts(document, definitionId, side, (ports) => [...ports, newPort(ports, wanted.name, wanted.type)]);
}

/** Gives a port another label; its name stays, by which files and prompts know it. */
export function renamePort(
  document: Document,
  definitionId: GraphId,
  side: Side,
  portId: string,
  label: string,
): Document {
  return changePorts(document, definitionId, side, (ports) => {
    const port = ports.find((each) => each.id === portId);
    const told = label === "" || label === port?.name ? null : label;
    if (port === undefined || port.label === told) return ports;
    return ports.map((each) => (each === port ? { ...port, label: told } : each));
  });
}

/** Takes a port away, with its wires inside and at every instance. */
export function removePort(document: Document, definitionId: GraphId, side: Side, portId: string): Document {
  return changePorts(document, definitionId, side, (ports) => {
    const kept = ports.filter((port) => port.id !== portId);
    return kept.length === ports.length ? ports : kept;
  });
}

/** Puts a port at another place among those of its side. */
export function movePort(
  document: Document,
  definitionId: GraphId,
  side: Side,
  portId: string,
  place: number,
): Document {
  return changePorts(document, definitionId, side, (ports) => {
    const port = ports.find((each) => each.id === portId);
    const to = Math.max(0, Math.min(ports.length - 1, place));
    if (port === undefined || ports[to] === port) return ports;
    return ports.filter((each) => each !== port).toSpliced(to, 0, port);
  });
}

/** Shows a widget from inside on the instances: it gets a port, and each instance a value of its own. */
export function promote(
  document: Document,
  graphId: GraphId,
  types: NodeTypes,
  instanceId: NodeId,
  inner: NodeId,
  name: string,
): Outcome<Document> {
  const found = instanceAt(document, graphId, instanceId);
  const node = found?.definition.nodes.get(inner);
  if (found === null || node === undefined) return refused(reason("reason.not_a_subgraph"));
  const { definition } = found;
  const end = { node: inner, widget: name };
  const present = slotOf(definition, end);
  const why = present === null ? canConvert(document, definition, types, node, name) : null;
  if (why !== null) return refused(why);
  if (present !== null && linkInto(definition, inner, present) !== null) {
    return refused(reason("reason.already_wired", { input: name }));
  }
  const ready = converted(document, definition, types, inner, name);
  const slot = slotOf(ready, end);
  if (slot === null) return refused(reason("reason.no_such_slot"));
  const type = ready.nodes.get(inner)?.inputs[slot]?.type ?? "*";
  const port = newPort(ready.inputs, name, type);
  const wired = joined(
    withInputPorts(ready, [...ready.inputs, port]),
    { node: INPUT_NODE, slot: ready.inputs.length },
    { node: inner, slot },
  );
  const held = { value: valueAt(document, node, name), control: node.controls[name] };
  return done(
    onInstances(settled(document, wired), definition.id, (each) => ({
      ...each,
      values: held.value === undefined ? each.values : { ...each.values, [port.name]: held.value },
      controls: held.control === undefined ? each.controls : { ...each.controls, [port.name]: held.control },
      promoted: [...(each.promoted ?? []).filter(([id, widget]) => id !== inner || widget !== name), ["-1", port.name]],
    })),
  );
}

/**
 * Takes a shown widget back inside. The value that this instance holds becomes the inner one; for a widget that was
 * only shown (`inner` names its node) nothing but the showing ends.
 */
export function demote(
  document: Document,
  graphId: GraphId,
  instanceId: NodeId,
  inner: NodeId | null,
  name: string,
): Outcome<Document> {
  const found = instanceAt(document, graphId, instanceId);
  if (found === null) return refused(reason("reason.not_a_subgraph"));
  if (inner !== null) return done(withoutShown(document, found.graph, instanceId, inner, name));
  const { definition, instance } = found;
  const port = definition.inputs.find((each) => each.name === name);
  if (port === undefined) return refused(reason("reason.no_such_slot"));
  const value = valueAt(document, instance, name);
  const ports = definition.inputs.filter((each) => each !== port);
  let after = withInputPorts(definition, ports);
  for (const { node, slot } of fedBy(definition, port)) {
    if (slot.isWidget) after = takenBack(document, after, node.id, slot.name, value, instance.controls[name]);
  }
  return done(settled(document, after));
}

/** Gives an instance a definition of its own, so that it can be edited without the others. */
export function makeUnique(document: Document, graphId: GraphId, instanceId: NodeId): Outcome<Document> {
  const found = instanceAt(document, graphId, instanceId);
  if (found === null) return refused(reason("reason.not_a_subgraph"));
  const { definition, graph } = found;
  if (countInstances(document, definition.id) < 2) return done(document);
  const own = { ...definition, id: crypto.randomUUID() };
  const known = { ...document, subgraphs: new Map(document.subgraphs).set(own.id, own) };
  return done(
    withGraph(
      known,
      changeNode(graph, instanceId, (node) => ({ ...node, type: own.id })),
    ),
  );
}

/** How many instances of a sub-graph there are in a document. */
export function countInstances(document: Document, definitionId: GraphId): number {
  let count = 0;
  for (const graph of [document.root, ...document.subgraphs.values()]) {
    for (const node of graph.nodes.values()) if (node.type === definitionId) count += 1;
  }
  return count;
}

interface Found {
  readonly graph: Graph;
  readonly instance: Node;
  readonly definition: Graph;
}

function instanceAt(document: Document, graphId: GraphId, id: NodeId): Found | null {
  const graph = graphOf(document, graphId);
  const instance = graph?.nodes.get(id);
  const definition = document.subgraphs.get(instance?.type ?? "");
  return graph === null || instance === undefined || definition === undefined ? null : { graph, instance, definition };
}

function changePorts(
  document: Document,
  definitionId: GraphId,
  side: Side,
  change: (ports: readonly Port[]) => readonly Port[],
): Document {
  const definition = document.subgraphs.get(definitionId);
  if (definition === undefined) return document;
  const before = side === "input" ? definition.inputs : definition.outputs;
  const ports = change(before);
  if (ports === before) return document;
  return settled(document, side === "input" ? withInputPorts(definition, ports) : withOutputPorts(definition, ports));
}

function onInstances(document: Document, definitionId: GraphId, change: (node: Node) => Node): Document {
  let result = document;
  for (const graph of [document.root, ...document.subgraphs.values()]) {
    const ids = [...graph.nodes.values()].filter((node) => node.type === definitionId).map((node) => node.id);
    result = withGraph(result, changeNodes(graph, ids, change));
  }
  return mirrored(result, definitionId);
}

function withoutShown(document: Document, graph: Graph, id: NodeId, inner: NodeId, name: string): Document {
  const changed = changeNode(graph, id, (node) => {
    const kept = node.promoted?.filter(([each, widget]) => each !== inner || widget !== name);
    return kept === undefined || kept.length === node.promoted?.length ? node : patched(node, { promoted: kept });
  });
  return withGraph(document, changed);
}

/** The sub-graph with a widget set and, where its slot was only there for the port, without that slot. */
function takenBack(
  document: Document,
  graph: Graph,
  id: NodeId,
  name: string,
  value: Value | undefined,
  control: Node["controls"][string] | undefined,
): Graph {
  const set = changeNode(graph, id, (node) => ({
    ...node,
    values: value === undefined ? node.values : { ...node.values, [name]: value },
    controls: control === undefined ? node.controls : { ...node.controls, [name]: control },
  }));
  const node = set.nodes.get(id);
  if (node === undefined || document.subgraphs.has(node.type)) return set;
  return withInputSlots(
    set,
    id,
    node.inputs.filter((slot) => slot.name !== name),
  );
}
