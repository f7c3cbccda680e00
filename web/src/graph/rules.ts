/**
 * What may be done to a graph, and what is wrong with it as it stands. Each rule answers null or the reason.
 */

import {
  type Document,
  type Graph,
  type GraphId,
  graphOf,
  INPUT_NODE,
  type Node,
  OUTPUT_NODE,
  PRIMITIVE,
  REROUTE,
} from "./document";
import { wouldLoop } from "./cycles";
import { portType, typesFedBy } from "./edits/retype";
import { type InputEnd, linksFrom, type OutputEnd } from "./links";
import { inputAt } from "./node_inputs";
import type { InputType, NodeTypes } from "./node_type";
import { isDynamicCombo } from "./object_info";
import { type Reason, reason } from "./reason";
import { areCompatible, isAny } from "./sockets";
import { sameValue } from "./value";
import { isWidget, isWidgetType } from "./widgets";

export { checkDocument, type Finding } from "./findings";
export { areCompatible } from "./sockets";
export { checkValue } from "./values";

/** Whether a wire may go from an output to an input. What the input has now would be replaced. */
export function canConnect(
  document: Document,
  graphId: GraphId,
  types: NodeTypes,
  from: OutputEnd,
  to: InputEnd,
): Reason | null {
  const graph = graphOf(document, graphId);
  const given = graph && givenType(graph, from);
  const target = graph && targetOf(document, graph, types, to);
  if (graph === null || given === null || target === null) return reason("reason.no_such_slot");
  if (target.reason !== null) return target.reason;
  if (from.node === to.node) return reason("reason.same_node");
  const misfit = fits(document, graph, types, from, to, given, target);
  if (misfit !== null) return misfit;
  return wouldLoop(document, graph, from, { node: to.node, slot: target.slot }) ? reason("reason.cycle") : null;
}

/** Whether a widget may become an input. */
export function canConvert(
  document: Document,
  graph: Graph,
  types: NodeTypes,
  node: Node,
  name: string,
): Reason | null {
  const input = inputAt(document, graph, types, node, name);
  const isDrawn = !types.has(node.type);
  if (input === null || !isWidget(input) || isDrawn) return reason("reason.not_a_widget", { input: name });
  // Which inputs a node has cannot depend on what is only known while it runs.
  const isFixed = input.options["socketless"] === true || isDynamicCombo(input);
  return isFixed ? reason("reason.socketless", { input: name }) : null;
}

/** The slot of an end, by number; null for a widget that has no slot yet. */
export function slotOf(graph: Graph, to: InputEnd): number | null {
  if ("slot" in to) return to.slot;
  const index = graph.nodes.get(to.node)?.inputs.findIndex((slot) => slot.name === to.widget) ?? -1;
  return index < 0 ? null : index;
}

interface Target {
  readonly slot: number | null;
  readonly type: string;
  /** Whether a widget's value would be replaced by the wire, or could be. */
  readonly takesWidgets: boolean;
  readonly name: string;
  readonly reason: Reason | null;
}

function givenType(graph: Graph, from: OutputEnd): string | null {
  if (from.node !== INPUT_NODE) return graph.nodes.get(from.node)?.outputs[from.slot]?.type ?? null;
  // The place below the last port makes a new one.
  if (from.slot === graph.inputs.length) return "*";
  return graph.inputs[from.slot] === undefined ? null : portType(graph, from.slot);
}

function targetOf(document: Document, graph: Graph, types: NodeTypes, to: InputEnd): Target | null {
  const slot = slotOf(graph, to);
  if (to.node === OUTPUT_NODE && slot !== null) {
    const type = slot === graph.outputs.length ? "*" : graph.outputs[slot]?.type;
    return type === undefined ? null : { slot, type, takesWidgets: false, name: "", reason: null };
  }
  const node = graph.nodes.get(to.node);
  if (node === undefined) return null;
  if (slot !== null) {
    const found = node.inputs[slot];
    if (found === undefined) return null;
    const takesWidgets = found.isWidget || isWidgetType(found.type);
    return { slot, type: found.type, takesWidgets, name: found.name, reason: null };
  }
  if (!("widget" in to)) return null;
  const input = inputAt(document, graph, types, node, to.widget);
  if (input === null) return null;
  const why = canConvert(document, graph, types, node, to.widget);
  return { slot, type: input.type, takesWidgets: true, name: to.widget, reason: why };
}

function fits(
  document: Document,
  graph: Graph,
  types: NodeTypes,
  from: OutputEnd,
  to: InputEnd,
  given: string,
  target: Target,
): Reason | null {
  const origin = graph.nodes.get(from.node);
  const node = graph.nodes.get(to.node);
  if (origin?.type === PRIMITIVE) {
    if (!target.takesWidgets || node === undefined) return reason("reason.primitive_needs_widget");
    if (!hasSameChoices(document, graph, types, origin, node, target.name)) return reason("reason.other_choices");
  }
  const wanted = node?.type === REROUTE ? typesFedBy(graph, node.id) : [target.type];
  const misfit = wanted.find((type) => !areCompatible(given, type));
  return misfit === undefined ? null : reason("reason.type_mismatch", { given, wanted: misfit });
}

/** A primitive that already holds a choice can feed only inputs with the same choices. */
function hasSameChoices(
  document: Document,
  graph: Graph,
  types: NodeTypes,
  primitive: Node,
  target: Node,
  name: string,
): boolean {
  const type = primitive.outputs[0]?.type ?? "*";
  if (type !== "COMBO" || isAny(type)) return true;
  const wanted = inputAt(document, graph, types, target, name);
  return linksFrom(graph, primitive.id, 0).every((link) => {
    const other = graph.nodes.get(link.target);
    const slot = other?.inputs[link.targetSlot];
    const held = other && slot ? inputAt(document, graph, types, other, slot.name) : null;
    return haveSameChoices(held, wanted);
  });
}

function haveSameChoices(one: InputType | null, other: InputType | null): boolean {
  if (one === null || other === null || one.choices === null || other.choices === null) return true;
  return sameValue(one.choices, other.choices);
}
