/**
 * Keeps the instances of sub-graphs like their definitions: a slot per port, in the ports' order. A definition that is
 * used twice is edited for both. And takes definitions away that nothing uses any more.
 */

import { feedsWidget, portOutput, portSlot } from "../create";
import {
  type Document,
  type Graph,
  type GraphId,
  type InputSlot,
  type Node,
  type OutputSlot,
  type Port,
  ROOT,
  withGraph,
} from "../document";
import { changeNode } from "./graph_change";
import { retyped } from "./retype";
import { withInputSlots, withOutputSlots } from "./slots";

/** The document after the links, slots or ports of one of its graphs changed: types follow, instances mirror. */
export function settled(document: Document, graph: Graph): Document {
  const after = withGraph(document, retyped(graph));
  return after === document ? document : mirrored(after, graph.id);
}

/** The document with every instance of a sub-graph like its definition. */
export function mirrored(document: Document, definitionId: GraphId): Document {
  const definition = document.subgraphs.get(definitionId);
  if (definition === undefined || definitionId === ROOT) return document;
  const widgets = definition.inputs.map((port) => feedsWidget(definition, port));
  let result = document;
  for (const graph of [document.root, ...document.subgraphs.values()]) {
    let changed = graph;
    for (const node of graph.nodes.values()) {
      if (node.type === definitionId) changed = mirroredInstance(changed, node, definition, widgets);
    }
    if (changed === graph) continue;
    result = withGraph(result, retyped(changed));
    if (graph.id !== ROOT) result = mirrored(result, graph.id);
  }
  return result;
}

/** Every definition that a graph uses, directly or inside others. */
export function usedBy(document: Document, graph: Graph): ReadonlySet<GraphId> {
  const found = new Set<GraphId>();
  const waiting = [graph];
  for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
    for (const node of each.nodes.values()) {
      const definition = found.has(node.type) ? undefined : document.subgraphs.get(node.type);
      if (definition === undefined) continue;
      found.add(definition.id);
      waiting.push(definition);
    }
  }
  return found;
}

/** `after` without the definitions that were in use before and are no longer. */
export function withoutUnused(before: Document, after: Document): Document {
  if (after.subgraphs.size === 0) return after;
  const were = usedBy(before, before.root);
  const are = usedBy(after, after.root);
  const gone = [...were].filter((id) => !are.has(id));
  if (gone.length === 0) return after;
  const subgraphs = new Map(after.subgraphs);
  for (const id of gone) subgraphs.delete(id);
  return { ...after, subgraphs };
}

function mirroredInstance(graph: Graph, node: Node, definition: Graph, widgets: readonly boolean[]): Graph {
  const inputs = definition.inputs.map((port, i) => likePort(node.inputs, port, portSlot(port, widgets[i] === true)));
  const outputs = definition.outputs.map((port) => likePort(node.outputs, port, portOutput(port)));
  const resized = withOutputSlots(withInputSlots(graph, node.id, inputs), node.id, outputs);
  return changeNode(resized, node.id, (each) => withoutStrays(each, definition));
}

/** The slot there is for a port, as the port is now; a new one when there is none. */
function likePort<Slot extends InputSlot | OutputSlot>(slots: readonly Slot[], port: Port, fresh: Slot): Slot {
  const slot = slots.find((each) => each.name === port.name);
  if (slot === undefined) return fresh;
  const isWidget = "isWidget" in fresh ? fresh.isWidget : null;
  const isLike =
    slot.type === port.type && slot.label === port.label && ("isWidget" in slot ? slot.isWidget : null) === isWidget;
  return isLike ? slot : { ...fresh, rest: slot.rest };
}

/** The instance without values and promoted widgets of what is no longer there. */
function withoutStrays(node: Node, definition: Graph): Node {
  const names = new Set(definition.inputs.map((port) => port.name));
  const isThere = ([inner, name]: readonly [string, string]): boolean =>
    inner === "-1" ? names.has(name) : definition.nodes.has(inner);
  const promoted = node.promoted?.every(isThere) === false ? node.promoted.filter(isThere) : node.promoted;
  const isKept = (name: string): boolean => names.has(name);
  const values = filtered(node.values, isKept);
  const controls = filtered(node.controls, isKept);
  const isSame = promoted === node.promoted && values === node.values && controls === node.controls;
  return isSame ? node : { ...node, promoted, values, controls };
}

function filtered<T>(
  record: Readonly<Record<string, T>>,
  isKept: (name: string) => boolean,
): Readonly<Record<string, T>> {
  const entries = Object.entries(record);
  const kept = entries.filter(([name]) => isKept(name));
  return kept.length === entries.length ? record : Object.fromEntries(kept);
}
