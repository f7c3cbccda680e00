/**
 * Brings the nodes of a document after their types, which a plugin's author has just written anew: new inputs and
 * outputs come, those that are gone go with their wires, and all values stay. Slots are matched by name.
 */

import { inputSlot } from "../create";
import { type Document, type Graph, type InputSlot, type Node, type OutputSlot, withGraph } from "../document";
import type { InputType, NodeType, NodeTypes } from "../node_type";
import { isAutogrow, isDynamicCombo } from "../object_info";
import { sameValue, type Value } from "../value";
import { defaultControl, defaultOf, hasControl, inputsOf, isWidget } from "../widgets";
import { changeNode } from "./graph_change";
import { settled } from "./mirror";
import { withInputSlots, withOutputSlots } from "./slots";

/** The document with each node like its type in `after`, where that differs from the type it had in `before`. */
export function followTypes(document: Document, before: NodeTypes, after: NodeTypes): Document {
  const changed = changedTypes(before, after);
  if (changed.size === 0) return document;
  let result = document;
  for (const { id } of [document.root, ...document.subgraphs.values()]) {
    const graph = id === result.root.id ? result.root : result.subgraphs.get(id);
    if (graph === undefined) continue;
    let followed = graph;
    for (const node of graph.nodes.values()) {
      const [was, is] = changed.get(node.type) ?? [];
      // What is read without names is named first, by `format`, which also gives it its slots.
      if (was !== undefined && is !== undefined && node.raw === null) followed = like(followed, node, was, is);
    }
    if (followed !== graph) result = settled(withGraph(result, followed), followed);
  }
  return result;
}

/** The types that are there before and after, and take or give something else now. */
export function changedTypes(before: NodeTypes, after: NodeTypes): ReadonlyMap<string, readonly [NodeType, NodeType]> {
  const changed = new Map<string, readonly [NodeType, NodeType]>();
  for (const [id, is] of after) {
    const was = before.get(id);
    if (was !== undefined && was !== is && !isSame(was, is)) changed.set(id, [was, is]);
  }
  return changed;
}

/** Whether a node of the one has the slots and widgets of the other. Ranges, lists and defaults change no node. */
function isSame(was: NodeType, is: NodeType): boolean {
  return sameValue(was.inputs.map(shapeOf), is.inputs.map(shapeOf)) && sameValue(outline(was), outline(is));
}

function shapeOf(input: InputType): Value {
  const brings = isAutogrow(input) || isDynamicCombo(input) ? input.options : null;
  return [input.name, input.type, isWidget(input), brings];
}

function outline(type: NodeType): Value {
  return type.outputs.map(({ name, type }) => [name, type]);
}

function like(graph: Graph, node: Node, was: NodeType, is: NodeType): Graph {
  const valued = changeNode(graph, node.id, (each) => withDefaults(each, is));
  const now = valued.nodes.get(node.id) ?? node;
  const taking = withInputSlots(valued, node.id, inputsLike(now, was, is));
  return withOutputSlots(taking, node.id, outputsLike(now, was, is));
}

/** New widgets get their defaults. Values of those that are gone stay: the next version may have them again. */
function withDefaults(node: Node, type: NodeType): Node {
  const fresh = inputsOf(type, node.values, node.inputs).filter(
    (each) => isWidget(each) && !(each.name in node.values),
  );
  if (fresh.length === 0) return node;
  const values = Object.fromEntries(fresh.map((each) => [each.name, defaultOf(each)]));
  const controls = Object.fromEntries(fresh.filter(hasControl).map((each) => [each.name, defaultControl(each)]));
  return { ...node, values: { ...node.values, ...values }, controls: { ...node.controls, ...controls } };
}

function inputsLike(node: Node, was: NodeType, is: NodeType): readonly InputSlot[] {
  const slots = new Map(node.inputs.map((slot) => [slot.name, slot]));
  const wanted = inputsOf(is, node.values, node.inputs);
  const mine = wanted.flatMap((input): readonly InputSlot[] => {
    const slot = slots.get(input.name);
    if (slot === undefined) return isWidget(input) ? [] : [inputSlot(input)];
    const isLike = slot.type === input.type && slot.isWidget === isWidget(input);
    return [isLike ? slot : { ...slot, type: input.type, isWidget: isWidget(input) }];
  });
  return [...mine, ...strangers(node.inputs, wanted, inputsOf(was, node.values, node.inputs))];
}

function outputsLike(node: Node, was: NodeType, is: NodeType): readonly OutputSlot[] {
  const slots = new Map(node.outputs.map((slot) => [slot.name, slot]));
  const mine = is.outputs.map(({ name, type }): OutputSlot => {
    const slot = slots.get(name);
    if (slot === undefined) return { name, type, label: null, rest: {} };
    return slot.type === type ? slot : { ...slot, type };
  });
  return [...mine, ...strangers(node.outputs, is.outputs, was.outputs)];
}

/** Slots of a file that neither version of the type knows; they are not ours to take away. */
function strangers<Slot extends { readonly name: string }>(
  slots: readonly Slot[],
  ...known: readonly (readonly { readonly name: string }[])[]
): readonly Slot[] {
  const names = new Set(known.flatMap((each) => each.map(({ name }) => name)));
  return slots.filter((slot) => !names.has(slot.name));
}
