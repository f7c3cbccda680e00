/**
 * A prompt in API JSON becomes a document: nodes of known types with their widgets' values by name, others with slots
 * for what is wired; laid out from left to right.
 *
 * Ids that are no numbers ("57:8", from inside a sub-graph) become new numbers: here they would be taken for a path.
 */

import { inputSlot, newNode } from "@/graph/create";
import { type Document, emptyDocument, type InputSlot, type Link, type Node, type NodeId } from "@/graph/document";
import type { InputType, NodeType, NodeTypes } from "@/graph/node_type";
import { isAutogrow } from "@/graph/object_info";
import { done, type Outcome, type Reason, reason } from "@/graph/reason";
import { isObject, type JsonObject, type Value } from "@/graph/value";
import { inputsOf, isControl, isWidget } from "@/graph/widgets";

import { laidOut } from "./api_layout";
import type { ReadFile } from "./editor_file";
import { identifier, wholeNumber } from "./file_graph";
import { isSent } from "./file_widgets";
import { RepairNotes } from "./repair_notes";

const MOST_OUTPUTS = 1000;

interface ApiNode {
  readonly id: NodeId;
  readonly type: string;
  readonly title: string | null;
  readonly literals: ReadonlyMap<string, Value>;
  readonly wires: ReadonlyMap<string, ApiWire>;
}

/** `origin`: an id as the prompt has it. */
interface ApiWire {
  readonly origin: string;
  readonly slot: number;
}

export function readApi(prompt: JsonObject, types: NodeTypes): Outcome<ReadFile> {
  const notes = new RepairNotes();
  const entries = Object.entries(prompt).filter(([, entry]) => isNode(entry) || ((notes.oddNodes += 1), false));
  const ids = numbered(entries.map(([id]) => id));
  const drawn = new Map<NodeId, ApiNode>();
  for (const [key, entry] of entries) {
    const id = ids.get(key);
    if (id !== undefined && isObject(entry)) drawn.set(id, readNode(id, entry, ids, notes));
  }
  const nodes = new Map<NodeId, Node>();
  for (const each of drawn.values()) {
    const type = types.get(each.type);
    if (type === undefined) notes.unknownType(each.type);
    nodes.set(each.id, type === undefined ? unknownNode(each, types) : knownNode(each, type, types));
  }
  const links = linksOf(drawn, nodes, ids);
  const root = { ...emptyDocument("").root, nodes: laidOut(nodes, links.values()), links };
  const lastNode = [...nodes.keys()].reduce((last, id) => Math.max(last, Number(id)), 0);
  const document: Document = {
    ...emptyDocument(crypto.randomUUID()),
    root: { ...root, lastNode, lastLink: links.size },
  };
  const renamed = [...ids].filter(([key, id]) => key !== id).length;
  const said: Reason[] = renamed > 0 ? [reason("reason.file_new_ids", { count: renamed })] : [];
  return done({ document, notes: [...notes.reasons(), ...said] });
}

function isNode(entry: Value): boolean {
  return isObject(entry) && typeof entry["class_type"] === "string" && entry["class_type"] !== "";
}

function isNumber(id: string): boolean {
  return /^(0|[1-9]\d{0,8})$/.test(id);
}

/** For each id of a prompt the number it has here. */
function numbered(ids: readonly string[]): Map<string, NodeId> {
  let last = ids.filter(isNumber).reduce((most, id) => Math.max(most, Number(id)), 0);
  return new Map(ids.map((id) => [id, isNumber(id) ? id : String((last += 1))]));
}

function readNode(id: NodeId, entry: JsonObject, ids: ReadonlyMap<string, NodeId>, notes: RepairNotes): ApiNode {
  const literals = new Map<string, Value>();
  const wires = new Map<string, ApiWire>();
  const inputs = isObject(entry["inputs"]) ? entry["inputs"] : {};
  for (const [name, value] of Object.entries(inputs)) {
    if (!Array.isArray(value)) {
      literals.set(name, unwrapped(value));
      continue;
    }
    const [origin, place] = value as readonly Value[];
    const [key, slot] = [identifier(origin) ?? "", wholeNumber(place)];
    if (value.length === 2 && slot !== null && slot < MOST_OUTPUTS && ids.has(key))
      wires.set(name, { origin: key, slot });
    else notes.deadLinks += 1;
  }
  const meta = entry["_meta"];
  const title = isObject(meta) && typeof meta["title"] === "string" ? meta["title"] : null;
  return { id, type: String(entry["class_type"]), title, literals, wires };
}

/** A value without the wrapping that keeps lists apart from wires. */
function unwrapped(value: Value): Value {
  return isObject(value) ? (value["__value__"] ?? value) : value;
}

function knownNode(drawn: ApiNode, type: NodeType, types: NodeTypes): Node {
  const fresh = newNode(types, type.id, drawn.id, { x: 0, y: 0 });
  const values = { ...fresh.values, ...Object.fromEntries(drawn.literals) };
  const named = [...drawn.wires.keys(), ...drawn.literals.keys()].map((name) => bareSlot(name, "*", false));
  const inputs = inputsOf(type, values, named);
  const isKnownWidget = new Set(inputs.filter(isWidget).map((each) => each.name));
  const widgets = Object.entries(values).filter(([name]) => isKnownWidget.has(name));
  const surplus = [...drawn.literals].filter(([name, value]) => !isKnownWidget.has(name) && isSent(name, value));
  return {
    ...fresh,
    title: drawn.title === type.displayName || drawn.title === type.id ? null : drawn.title,
    inputs: [...slotsOf(type, inputs, drawn), ...extraSlots(inputs, drawn)],
    values: Object.fromEntries(widgets),
    // The picture that was drawn shall be drawn again.
    controls: Object.fromEntries(Object.keys(fresh.controls).map((name) => [name, "fixed" as const])),
    rest: surplus.length === 0 ? {} : { widgets_values_named: Object.fromEntries(surplus) },
  };
}

/** A slot for each socket, and for each widget that is wired or that a group has grown by. */
function slotsOf(type: NodeType, inputs: readonly InputType[], drawn: ApiNode): InputSlot[] {
  const groups = type.inputs.filter(isAutogrow).map((each) => `${each.name}.`);
  const isGrown = (name: string): boolean => groups.some((prefix) => name.startsWith(prefix));
  return inputs.filter((each) => !isWidget(each) || drawn.wires.has(each.name) || isGrown(each.name)).map(inputSlot);
}

/** Slots for wires to inputs the type does not list. */
function extraSlots(inputs: readonly InputType[], drawn: ApiNode): InputSlot[] {
  const known = new Set(inputs.map((each) => each.name));
  return [...drawn.wires.keys()].filter((name) => !known.has(name)).map((name) => bareSlot(name, "*", false));
}

/** A node nobody knows: its values by name, or, where they are lists or objects, in a row behind slots of their own. */
function unknownNode(drawn: ApiNode, types: NodeTypes): Node {
  const fresh = newNode(types, drawn.type, drawn.id, { x: 0, y: 0 });
  const wired = [...drawn.wires.keys()].map((name) => bareSlot(name, "*", false));
  const entries = [...drawn.literals];
  const title = drawn.title === drawn.type ? null : drawn.title;
  const height = Math.max(60, 24 * (wired.length + entries.length));
  const bare = { ...fresh, title, height, outputs: [], values: {}, controls: {} };
  const needsRow = entries.some(([name, value]) => !isSent(name, value));
  if (!needsRow || entries.some(([, value]) => isControl(value))) {
    return { ...bare, inputs: wired, values: Object.fromEntries(entries) };
  }
  const slots = entries.map(([name]) => bareSlot(name, "*", true));
  return { ...bare, inputs: [...wired, ...slots], raw: entries.map(([, value]) => value) };
}

function bareSlot(name: string, type: string, isWidget: boolean): InputSlot {
  return { name, type, label: null, isWidget, rest: {} };
}

/** The links between the nodes; an origin that has too few outputs gets them in `nodes`. */
function linksOf(
  drawn: ReadonlyMap<NodeId, ApiNode>,
  nodes: Map<NodeId, Node>,
  ids: ReadonlyMap<string, NodeId>,
): Map<string, Link> {
  const links = new Map<string, Link>();
  for (const { id: target, wires } of drawn.values()) {
    const slots = nodes.get(target)?.inputs ?? [];
    for (const [targetSlot, { name, type: wanted }] of slots.entries()) {
      const wire = wires.get(name);
      const origin = wire === undefined ? undefined : nodes.get(ids.get(wire.origin) ?? "");
      if (wire === undefined || origin === undefined) continue;
      const outputs = widened(origin, wire.slot);
      if (outputs !== origin.outputs) nodes.set(origin.id, { ...origin, outputs });
      const given = outputs[wire.slot]?.type ?? "*";
      const id = String(links.size + 1);
      const type = given === "*" ? wanted : given;
      links.set(id, { id, origin: origin.id, originSlot: wire.slot, target, targetSlot, type, rest: {} });
    }
  }
  return links;
}

function widened(node: Node, slot: number): Node["outputs"] {
  if (slot < node.outputs.length) return node.outputs;
  const names = Array.from({ length: slot + 1 - node.outputs.length }, (_, i) => `output ${node.outputs.length + i}`);
  return [...node.outputs, ...names.map((name) => ({ name, type: "*", label: null, rest: {} }))];
}
