/** Sets what widgets hold, and turns widgets into inputs and back. */

import { inputSlot } from "../create";
import { type Control, type Document, type Graph, type GraphId, graphOf, type NodeId } from "../document";
import { inputAt } from "../node_inputs";
import type { InputType, NodeTypes } from "../node_type";
import { isDynamicCombo } from "../object_info";
import { done, type Outcome, reason, refused } from "../reason";
import { canConvert } from "../rules";
import { sameValue, type Value } from "../value";
import { defaultControl, defaultOf, hasControl, inputsOf, isWidget } from "../widgets";
import { changeNode, inGraph } from "./graph_change";
import { settled } from "./mirror";
import { reshaped, withInputSlots } from "./slots";

/** Gives a widget a value. It is not checked: what is out of range stays visible, and `checkValue` says why. */
export function setValue(
  document: Document,
  graphId: GraphId,
  types: NodeTypes,
  id: NodeId,
  name: string,
  value: Value,
): Document {
  return setValues(document, graphId, types, id, { [name]: value });
}

/** Gives several widgets of a node their values at once. */
export function setValues(
  document: Document,
  graphId: GraphId,
  types: NodeTypes,
  id: NodeId,
  values: Readonly<Record<string, Value>>,
): Document {
  const graph = graphOf(document, graphId);
  const node = graph?.nodes.get(id);
  if (graph === null || node === undefined) return document;
  const changed = Object.entries(values).filter(([name, value]) => {
    const before = node.values[name];
    return before === undefined || !isIdentical(before, value);
  });
  if (changed.length === 0) return document;
  const after = changeNode(graph, id, (each) => ({
    ...each,
    values: { ...each.values, ...Object.fromEntries(changed) },
  }));
  const type = types.get(node.type);
  const isChoosing = type?.inputs.some((input) => isDynamicCombo(input)) === true;
  if (type === undefined || !isChoosing) return inGraph(document, graphId, () => after);
  return settled(document, reshaped(withDefaults(after, id, types), id, type));
}

/** Says what happens to a value after each run. */
export function setControl(document: Document, graphId: GraphId, id: NodeId, name: string, control: Control): Document {
  return inGraph(document, graphId, (graph) =>
    changeNode(graph, id, (node) =>
      node.controls[name] === control ? node : { ...node, controls: { ...node.controls, [name]: control } },
    ),
  );
}

/** Gives a widget a slot, so that a wire can bring its value. */
export function convertToInput(
  document: Document,
  graphId: GraphId,
  types: NodeTypes,
  id: NodeId,
  name: string,
): Outcome<Document> {
  const graph = graphOf(document, graphId);
  const node = graph?.nodes.get(id);
  if (graph === null || node === undefined) return refused(reason("reason.no_such_slot"));
  if (node.inputs.some((slot) => slot.name === name)) return done(document);
  const why = canConvert(document, graph, types, node, name);
  if (why !== null) return refused(why);
  return done(settled(document, converted(document, graph, types, id, name)));
}

/** The graph with a slot for a widget that may have one. */
export function converted(document: Document, graph: Graph, types: NodeTypes, id: NodeId, name: string): Graph {
  const node = graph.nodes.get(id);
  const input = node === undefined ? null : inputAt(document, graph, types, node, name);
  if (node === undefined || input === null || node.inputs.some((slot) => slot.name === name)) return graph;
  return withInputSlots(graph, id, [...node.inputs, { ...inputSlot(input), isWidget: true }]);
}

/** Takes a widget's slot away, and the wire in it; the value it has counts again. */
export function convertToWidget(document: Document, graphId: GraphId, id: NodeId, name: string): Document {
  const graph = graphOf(document, graphId);
  const node = graph?.nodes.get(id);
  // The slots of a sub-graph's instance are its ports; they stay.
  if (graph === null || node === undefined || document.subgraphs.has(node.type)) return document;
  const kept = node.inputs.filter((slot) => slot.name !== name || !slot.isWidget);
  if (kept.length === node.inputs.length) return document;
  return settled(document, withInputSlots(graph, id, kept));
}

/** Puts the defaults where an option that was chosen brought new widgets. */
function withDefaults(graph: Graph, id: NodeId, types: NodeTypes): Graph {
  return changeNode(graph, id, (node) => {
    const type = types.get(node.type);
    if (type === undefined) return node;
    const values = { ...node.values };
    const controls = { ...node.controls };
    // A default may itself choose an option that brings more: as long as something is missing, look again.
    for (let missing = missingIn(type); missing.length > 0; missing = missingIn(type)) {
      for (const input of missing) {
        values[input.name] = defaultOf(input);
        if (hasControl(input)) controls[input.name] = defaultControl(input);
      }
    }
    return { ...node, values, controls };

    function missingIn(type: NonNullable<ReturnType<NodeTypes["get"]>>): InputType[] {
      return inputsOf(type, values, node.inputs).filter((input) => isWidget(input) && !(input.name in values));
    }
  });
}

/** Whether it is the same value and of the same kind: 1 and 1n are the same JSON, but not to those who hold them. */
function isIdentical(one: Value, other: Value): boolean {
  return typeof one === typeof other && sameValue(one, other);
}
