/**
 * What the inputs of a node are, wherever the answer lies: in its type, behind the ports of a sub-graph, or at the
 * other end of a primitive's wire.
 */

import { DRAWN_VALUE } from "./create";
import {
  type Document,
  type Graph,
  INPUT_NODE,
  type InputSlot,
  MARKDOWN_NOTE,
  type Node,
  type NodeId,
  NOTE,
  type Port,
  PRIMITIVE,
} from "./document";
import { linksFrom } from "./links";
import type { InputType, NodeTypes } from "./node_type";
import type { JsonObject, Value } from "./value";
import { inputsOf, isWidget } from "./widgets";

/** Every input a node has now. A node of unknown type has those of its slots. */
export function inputsAt(document: Document, graph: Graph, types: NodeTypes, node: Node): readonly InputType[] {
  const type = types.get(node.type);
  if (type !== undefined) return inputsOf(type, node.values, node.inputs);
  const definition = document.subgraphs.get(node.type);
  if (definition !== undefined) return definition.inputs.map((port) => portInput(document, definition, types, port));
  if (node.type === NOTE || node.type === MARKDOWN_NOTE) return [plain(DRAWN_VALUE, "STRING", { multiline: true })];
  if (node.type === PRIMITIVE) {
    const held = primitiveInput(document, graph, types, node);
    return held === null ? [] : [held];
  }
  return node.inputs.map((slot) => plain(slot.name, slot.type));
}

export function inputAt(
  document: Document,
  graph: Graph,
  types: NodeTypes,
  node: Node,
  name: string,
): InputType | null {
  return inputsAt(document, graph, types, node).find((each) => each.name === name) ?? null;
}

/** A widget as a node shows it. `inner` names the node inside a sub-graph that holds its value; null: the node itself. */
export interface ShownWidget {
  readonly input: InputType;
  readonly inner: NodeId | null;
}

/** The widgets a node shows, in their order; for an instance those of its ports, then those it only shows. */
export function widgetsAt(document: Document, graph: Graph, types: NodeTypes, node: Node): readonly ShownWidget[] {
  const own = inputsAt(document, graph, types, node);
  const definition = types.has(node.type) ? undefined : document.subgraphs.get(node.type);
  if (definition === undefined) return own.filter(isWidget).map((input) => ({ input, inner: null }));
  const slots = new Map(node.inputs.map((slot) => [slot.name, slot]));
  const held = own.filter((input) => slots.get(input.name)?.isWidget === true && isWidget(input));
  return [
    ...held.map((input) => ({ input, inner: null })),
    ...(node.promoted ?? []).flatMap(([inner, name]) => shownInside(document, definition, types, inner, name)),
  ];
}

function shownInside(
  document: Document,
  definition: Graph,
  types: NodeTypes,
  inner: NodeId,
  name: string,
): readonly ShownWidget[] {
  const node = definition.nodes.get(inner);
  const input = node === undefined ? null : inputAt(document, definition, types, node, name);
  return input !== null && isWidget(input) ? [{ input, inner }] : [];
}

/** The value an input of a node has while nothing is wired to it; undefined when it has none. */
export function valueAt(document: Document, node: Node, name: string): Value | undefined {
  const own = node.values[name];
  if (own !== undefined) return own;
  const definition = document.subgraphs.get(node.type);
  const port = definition?.inputs.find((each) => each.name === name);
  if (definition === undefined || port === undefined) return undefined;
  const [fed] = widgetsFedBy(definition, port);
  return fed === undefined ? undefined : valueAt(document, fed.node, fed.slot.name);
}

/** The widgets inside a sub-graph that one of its ports leads to. */
function widgetsFedBy(definition: Graph, port: Port): readonly { node: Node; slot: InputSlot }[] {
  return fedBy(definition, port).filter((each) => each.slot.isWidget);
}

/** The slots inside a sub-graph that one of its ports leads to. */
export function fedBy(definition: Graph, port: Port): readonly { node: Node; slot: InputSlot }[] {
  return linksFrom(definition, INPUT_NODE, definition.inputs.indexOf(port)).flatMap((link) => {
    const node = definition.nodes.get(link.target);
    const slot = node?.inputs[link.targetSlot];
    return node === undefined || slot === undefined ? [] : [{ node, slot }];
  });
}

/** What a primitive holds a value for: the first widget input that it is wired to, under its own name; null: nothing. */
function primitiveInput(document: Document, graph: Graph, types: NodeTypes, node: Node): InputType | null {
  for (const link of linksFrom(graph, node.id, 0)) {
    const target = graph.nodes.get(link.target);
    const slot = target?.inputs[link.targetSlot];
    if (target === undefined || slot === undefined) continue;
    const input = inputAt(document, graph, types, target, slot.name);
    // A socket that only takes wires may still be fed by a primitive, which is then the widget.
    if (input !== null) return { ...input, name: DRAWN_VALUE, options: withoutForce(controlled(input)) };
  }
  return null;
}

/** The input a port stands for: the first that it leads to inside, under the port's name. */
function portInput(document: Document, definition: Graph, types: NodeTypes, port: Port): InputType {
  const fed = fedBy(definition, port);
  const first = fed.find((each) => each.slot.isWidget) ?? fed[0];
  const inner = first && inputAt(document, definition, types, first.node, first.slot.name);
  if (!inner) return plain(port.name, port.type);
  return { ...inner, name: port.name, options: controlled(inner) };
}

/** The options with the control said outright, which INT inputs called "seed" have only by their name. */
function controlled(input: InputType): JsonObject {
  const isSeed = input.type === "INT" && (input.name === "seed" || input.name === "noise_seed");
  return isSeed && input.options["control_after_generate"] === undefined
    ? { ...input.options, control_after_generate: true }
    : input.options;
}

function withoutForce(options: JsonObject): JsonObject {
  const { forceInput: _, ...others } = options;
  return others;
}

function plain(name: string, type: string, options: JsonObject = {}): InputType {
  return { name, type, required: false, choices: null, options };
}
