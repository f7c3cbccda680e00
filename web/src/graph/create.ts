/**
 * New nodes, with a slot for each socket and a default for each widget.
 *
 * Kinds that are only drawn (Note, MarkdownNote, PrimitiveNode) keep what they hold in `values[DRAWN_VALUE]`, and a
 * primitive what happens to it after a run in `controls[DRAWN_VALUE]`.
 */

import {
  ALWAYS,
  type Control,
  type Graph,
  INPUT_NODE,
  type InputSlot,
  MARKDOWN_NOTE,
  type Node,
  type NodeId,
  NOTE,
  type OutputSlot,
  type Port,
  PRIMITIVE,
  REROUTE,
} from "./document";
import type { InputType, NodeType, NodeTypes } from "./node_type";
import type { Value } from "./value";
import { defaultControl, defaultOf, hasControl, inputsOf, isWidget } from "./widgets";

/** Under which name the drawn kinds keep their value: a note's text, a primitive's number. */
export const DRAWN_VALUE = "value";

/** What a primitive's output is called until it is wired. */
export const UNWIRED_PRIMITIVE = "connect to widget input";

export const DRAWN_KINDS: ReadonlySet<string> = new Set([REROUTE, PRIMITIVE, NOTE, MARKDOWN_NOTE]);

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A new node of a type or a drawn kind. A type nobody knows gives a node without slots. */
export function newNode(types: NodeTypes, typeId: string, id: NodeId, at: Point): Node {
  const type = types.get(typeId);
  if (type !== undefined) return newOfType(type, id, at);
  return { ...bare(typeId, id, at), ...drawnParts(typeId) };
}

/** A new instance of a sub-graph, whose slots mirror the ports of its definition. */
export function newInstance(definition: Graph, id: NodeId, at: Point): Node {
  const inputs = definition.inputs.map((port) => portSlot(port, feedsWidget(definition, port)));
  const rows = Math.max(inputs.length, definition.outputs.length);
  return {
    ...bare(definition.id, id, at),
    title: definition.name === "" ? null : definition.name,
    height: 20 * rows + 16,
    inputs,
    outputs: definition.outputs.map(portOutput),
    promoted: inputs.filter((slot) => slot.isWidget).map((slot) => ["-1", slot.name] as const),
  };
}

export function inputSlot(input: InputType): InputSlot {
  return { name: input.name, type: input.type, label: labelOf(input), isWidget: isWidget(input), rest: {} };
}

export function portSlot(port: Port, isWidget: boolean): InputSlot {
  return { name: port.name, type: port.type, label: port.label, isWidget, rest: {} };
}

export function portOutput(port: Port): OutputSlot {
  return { name: port.name, type: port.type, label: port.label, rest: {} };
}

/** Whether a port of a sub-graph leads to a widget inside, so that its instances can hold a value for it. */
export function feedsWidget(definition: Graph, port: Port): boolean {
  const index = definition.inputs.indexOf(port);
  for (const link of definition.links.values()) {
    if (link.origin !== INPUT_NODE || link.originSlot !== index) continue;
    if (definition.nodes.get(link.target)?.inputs[link.targetSlot]?.isWidget === true) return true;
  }
  return false;
}

function newOfType(type: NodeType, id: NodeId, at: Point): Node {
  const values: Record<string, Value> = {};
  const controls: Record<string, Control> = {};
  const inputs = inputsOf(type, values, []);
  for (const input of inputs.filter(isWidget)) {
    values[input.name] = defaultOf(input);
    if (hasControl(input)) controls[input.name] = defaultControl(input);
  }
  return {
    ...bare(type.id, id, at),
    ...defaultSize(type),
    inputs: inputs.filter((each) => !isWidget(each)).map(inputSlot),
    outputs: type.outputs.map(({ name, type }) => ({ name, type, label: null, rest: {} })),
    values,
    controls,
  };
}

function labelOf(input: InputType): string | null {
  const told = input.options["display_name"];
  return typeof told === "string" && told !== "" ? told : null;
}

function bare(type: string, id: NodeId, at: Point): Node {
  return {
    id,
    type,
    title: null,
    x: at.x,
    y: at.y,
    width: 210,
    height: 60,
    mode: ALWAYS,
    isCollapsed: false,
    color: null,
    background: null,
    inputs: [],
    outputs: [],
    values: {},
    controls: {},
    raw: null,
    promoted: null,
    rest: {},
  };
}

function drawnParts(kind: string): Partial<Node> {
  switch (kind) {
    case REROUTE:
      return {
        width: 75,
        height: 26,
        inputs: [{ name: "", type: "*", label: null, isWidget: false, rest: {} }],
        outputs: [{ name: "", type: "*", label: null, rest: {} }],
      };
    case PRIMITIVE:
      return { outputs: [{ name: UNWIRED_PRIMITIVE, type: "*", label: null, rest: {} }] };
    case NOTE:
    case MARKDOWN_NOTE:
      return { height: 100, values: { [DRAWN_VALUE]: "" } };
    default:
      return {};
  }
}

/** About what the node needs; the view draws it larger when that is too small. */
function defaultSize(type: NodeType): { width: number; height: number } {
  const widgets = type.inputs.filter(isWidget);
  const texts = widgets.filter((each) => each.options["multiline"] === true).length;
  const sockets = type.inputs.length - widgets.length;
  const wide = Math.max(
    7 * type.displayName.length + 60,
    7 * (longest(type.inputs) + longest(type.outputs)) + 70,
    widgets.length > 0 ? 270 : 140,
    texts > 0 ? 400 : 0,
  );
  const rows = 20 * Math.max(sockets, type.outputs.length) + 26 * (widgets.length - texts) + 110 * texts;
  return { width: Math.min(400, Math.ceil(wide / 10) * 10), height: rows + 12 };
}

function longest(named: readonly { readonly name: string }[]): number {
  return Math.max(0, ...named.map((each) => each.name.length));
}
