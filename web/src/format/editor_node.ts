/** One drawn node: out of its entry in a file into a document, and back. Which links it has, its graph says. */

import { BYPASSED, type InputSlot, type Node, type OutputSlot } from "@/graph/document";
import { inputSlot } from "@/graph/create";
import type { NodeType } from "@/graph/node_type";
import { isAutogrow } from "@/graph/object_info";
import { isObject, type JsonObject, type Value } from "@/graph/value";
import { growthOf, inputsOf, isWidget } from "@/graph/widgets";

import { ASIDE, type Kind, readValues, slotsInFile, type Values, writeValues } from "./editor_values";
import type { RepairNotes } from "./repair_notes";
import { inFormOfFile, rememberNode, unchangedSource } from "./file_forms";
import { type FileNode, isSet, objects, readProxies, type Slot, typeName } from "./file_graph";

const NODE_FIELDS: ReadonlySet<string> = new Set([
  "id",
  "type",
  "pos",
  "size",
  "flags",
  "order",
  "mode",
  "inputs",
  "outputs",
  "properties",
  "title",
  "widgets_values",
  "widgets_values_named",
  "color",
  "bgcolor",
]);
const INPUT_FIELDS: ReadonlySet<string> = new Set(["name", "type", "label", "link", "widget", "converted"]);
const OUTPUT_FIELDS: ReadonlySet<string> = new Set(["name", "type", "label", "links"]);

const DEFAULT_SIZE = [210, 60] as const;

/** Beyond this a place is a mistake: one such node would make the whole graph too small to be seen. */
export const FARTHEST = 1e7;
const LARGEST = 20_000;

/** Ours: a widget that was made an input and has no wire yet; other editors would show it as a widget again. */
const CONVERTED = "converted";

/** ComfyUI: the place of a node in a run; every reader works it out anew, but the form wants a number. */
const NO_ORDER = -1;

/** A node, and the link of the file behind each of its inputs. */
export interface ReadNode {
  readonly node: Node;
  readonly links: readonly (string | null)[];
}

/** `isLinked`: whether a link of the file leads to a node that is there; `isModern`: every widget has a slot there. */
export function readDrawnNode(
  source: JsonObject,
  drawn: FileNode,
  kind: Kind,
  isLinked: (link: string) => boolean,
  isModern: boolean,
  notes: RepairNotes,
): ReadNode {
  const values = readValues(source, drawn, kind);
  const kept = keptInputs(source, drawn, kind, values, isLinked, isModern);
  const read = { inputs: kept.map(({ slot }) => slot), outputs: objects(source["outputs"]).map(readOutput) };
  const slots = kind.is === "known" && drawn.mode !== BYPASSED ? completed(kind.type, values, read) : read;
  const place = readWithin(source["pos"], [0, 0], -FARTHEST, FARTHEST);
  const extent = readWithin(source["size"], DEFAULT_SIZE, 1, LARGEST);
  if (place.isMended || extent.isMended) notes.oddPlaces += 1;
  const [[x, y], [width, height]] = [place.pair, extent.pair];
  const [color, background] = [source["color"], source["bgcolor"]];
  const flags = isObject(source["flags"]) ? source["flags"] : {};
  const node: Node = {
    id: drawn.id,
    type: drawn.type,
    title: drawn.title,
    x,
    y,
    width,
    height,
    mode: drawn.mode,
    isCollapsed: isSet(flags["collapsed"]),
    color: typeof color === "string" ? color : null,
    background: typeof background === "string" ? background : null,
    ...slots,
    values: values.values,
    controls: values.controls,
    raw: values.raw,
    promoted: kind.is === "instance" ? readProxies(source["properties"]) : null,
    rest: { ...without(source, NODE_FIELDS), ...restOf(source, flags, kind), ...values.rest },
  };
  rememberNode(node, source);
  return { node, links: kept.map(({ link }) => link) };
}

/** The fields of a node that nobody here knows, among those that are known in part. */
function restOf(source: JsonObject, flags: JsonObject, kind: Kind): JsonObject {
  const given = isObject(source["properties"]) ? source["properties"] : {};
  const properties = without(given, kind.is === "instance" ? OURS_AND_PROXIES : OURS);
  const others = without(flags, COLLAPSED);
  const [order, color, background] = [source["order"], source["color"], source["bgcolor"]];
  return {
    ...(isSet(properties) ? { properties } : {}),
    ...(isSet(others) ? { flags: others } : {}),
    ...(finite(order) === null || order === NO_ORDER ? {} : { order: order ?? null }),
    ...(color === undefined || typeof color === "string" ? {} : { color }),
    ...(background === undefined || typeof background === "string" ? {} : { bgcolor: background }),
  };
}

const OURS: ReadonlySet<string> = new Set([ASIDE]);
const OURS_AND_PROXIES: ReadonlySet<string> = new Set([ASIDE, "proxyWidgets"]);
const COLLAPSED: ReadonlySet<string> = new Set(["collapsed"]);

interface KeptInput {
  readonly slot: InputSlot;
  readonly link: string | null;
}

/**
 * The inputs of a node without those that only say that a widget could be wired: since 1.16 the editor may write a slot
 * for every widget. A bypassed node keeps them all, because it hands on by counting its slots.
 */
function keptInputs(
  source: JsonObject,
  drawn: FileNode,
  kind: Kind,
  values: Values,
  isLinked: (link: string) => boolean,
  isModern: boolean,
): KeptInput[] {
  const entries = objects(source["inputs"]);
  const isComplete = isModern || Object.keys(values.values).every((name) => hasWidgetSlot(drawn, name));
  const keepsAll = kind.is !== "known" || drawn.mode === BYPASSED || !isComplete;
  const grown = kind.is === "known" ? grownBeyondLeast(kind.type, drawn) : [];
  return drawn.inputs.flatMap((slot, i) => {
    const entry = entries[i] ?? {};
    const link = slot.link !== null && isLinked(slot.link) ? slot.link : null;
    const isKept = keepsAll || entry[CONVERTED] === true || grown.some((group) => slot.name.startsWith(group));
    if (slot.isWidget && link === null && !isKept) return [];
    return [{ slot: readInput(entry, slot), link }];
  });
}

function hasWidgetSlot(drawn: FileNode, name: string): boolean {
  return drawn.inputs.some((slot) => slot.isWidget && slot.name === name);
}

/** The groups of inputs of which a node has more than their least: only its slots say how many. */
function grownBeyondLeast(type: NodeType, drawn: FileNode): string[] {
  return type.inputs.filter(isAutogrow).flatMap((each) => {
    const prefix = `${each.name}.`;
    const count = drawn.inputs.filter((slot) => slot.name.startsWith(prefix)).length;
    return count > (growthOf(each)?.min ?? 0) ? [prefix] : [];
  });
}

/** With the sockets that the node's type has gained since the file was written. */
function completed(
  type: NodeType,
  values: Values,
  read: Pick<Node, "inputs" | "outputs">,
): Pick<Node, "inputs" | "outputs"> {
  const names = new Set(read.inputs.map((slot) => slot.name));
  const missing = inputsOf(type, values.values, read.inputs).filter(
    (each) => !isWidget(each) && !names.has(each.name) && !each.type.startsWith("COMFY_"),
  );
  const gained = type.outputs.slice(read.outputs.length);
  return {
    inputs: missing.length === 0 ? read.inputs : [...read.inputs, ...missing.map(inputSlot)],
    outputs: [...read.outputs, ...gained.map(({ name, type }) => ({ name, type, label: null, rest: {} }))],
  };
}

function readInput(source: JsonObject, slot: Slot): InputSlot {
  const { name, type, isWidget } = slot;
  const widget = source["widget"];
  const isPlain = widget === undefined || (isWidget && isObject(widget) && isOnlyName(widget, name));
  const rest = { ...without(source, INPUT_FIELDS), ...(isPlain ? {} : { widget }) };
  return { name, type, label: labelOf(source), isWidget, rest };
}

function isOnlyName(widget: JsonObject, name: string): boolean {
  return Object.keys(widget).length === 1 && widget["name"] === name;
}

function readOutput(source: JsonObject): OutputSlot {
  const name = source["name"];
  return {
    name: typeof name === "string" ? name : "",
    type: typeName(source["type"]),
    label: labelOf(source),
    rest: without(source, OUTPUT_FIELDS),
  };
}

export function labelOf(source: JsonObject): string | null {
  const label = source["label"];
  return typeof label === "string" ? label : null;
}

// ------------------------------------------------------------------------------------------------------------ writing

/** `inputs` and `outputs`: the links at each slot, as the file writes their ids. */
export function writeDrawnNode(
  node: Node,
  kind: Kind,
  inputs: ReadonlyMap<number, Value>,
  outputs: ReadonlyMap<number, readonly Value[]>,
): JsonObject {
  const written = valuesOf(node, kind);
  const { order, flags, properties, widgets_values: _, widgets_values_named: __, ...rest } = node.rest;
  const proxies = node.promoted === null ? {} : { proxyWidgets: node.promoted };
  const aside = written.aside === null ? {} : { [ASIDE]: written.aside };
  return inFormOfFile(node, {
    id: writtenId(node.id),
    type: node.type,
    pos: [node.x, node.y],
    size: [node.width, node.height],
    flags: { ...(isObject(flags) ? flags : {}), ...(node.isCollapsed ? { collapsed: true } : {}) },
    order: order ?? NO_ORDER,
    mode: node.mode,
    inputs: slotsInFile(node, kind).map((slot, i) =>
      writeInput(slot, inputs.get(i) ?? null, kind.is === "known" && i < node.inputs.length),
    ),
    outputs: node.outputs.map((slot, i) => writeOutput(slot, outputs.get(i) ?? [])),
    ...(node.title === null ? {} : { title: node.title }),
    properties: { ...(isObject(properties) ? properties : {}), ...proxies, ...aside },
    ...written.fields,
    ...(node.color === null ? {} : { color: node.color }),
    ...(node.background === null ? {} : { bgcolor: node.background }),
    ...rest,
  });
}

/** As the file had them where nobody changed any. */
function valuesOf(node: Node, kind: Kind): Pick<ReturnType<typeof writeValues>, "fields" | "aside"> {
  const source = unchangedSource(node);
  if (source === null || kind.is !== "known") {
    const made = writeValues(node, kind);
    const isEmpty = source !== null && made.fields["widgets_values"] === undefined && isEmptyList(source);
    return isEmpty ? { ...made, fields: { ...made.fields, widgets_values: [] } } : made;
  }
  const properties = source["properties"];
  const aside = isObject(properties) ? properties[ASIDE] : null;
  const given = Object.entries(source).filter(([key]) => key === "widgets_values" || key === "widgets_values_named");
  return { fields: Object.fromEntries(given), aside: isObject(aside) ? aside : null };
}

function isEmptyList(source: JsonObject): boolean {
  const values = source["widgets_values"];
  return Array.isArray(values) && values.length === 0;
}

/** `isOwn`: the slot is there because someone made it, and shall come back. */
function writeInput(slot: InputSlot, link: Value, isOwn: boolean): JsonObject {
  const isConverted = isOwn && slot.isWidget && link === null;
  return {
    name: slot.name,
    type: slot.type,
    link,
    ...(slot.label === null ? {} : { label: slot.label }),
    ...(slot.isWidget ? { widget: { name: slot.name } } : {}),
    ...(isConverted ? { [CONVERTED]: true } : {}),
    ...slot.rest,
  };
}

function writeOutput(slot: OutputSlot, links: readonly Value[]): JsonObject {
  return {
    name: slot.name,
    type: slot.type,
    links,
    ...(slot.label === null ? {} : { label: slot.label }),
    ...slot.rest,
  };
}

/** Ids are numbers in files wherever they look like one. */
export function writtenId(id: string): Value {
  return /^(0|-?[1-9]\d{0,14})$/.test(id) ? Number(id) : id;
}

export function without(source: JsonObject, known: ReadonlySet<string>): JsonObject {
  const unknown = Object.entries(source).filter(([key]) => !known.has(key));
  return Object.fromEntries(unknown);
}

/** Two numbers, which files write as a list or as {"0": …, "1": …}. */
export function readPair(value: Value | undefined, first: number, second: number): readonly [number, number] {
  return readWithin(value, [first, second], -FARTHEST, FARTHEST).pair;
}

/** Two numbers between bounds, each the usual one where it is not. */
function readWithin(
  value: Value | undefined,
  usual: readonly [number, number],
  least: number,
  most: number,
): { readonly pair: readonly [number, number]; readonly isMended: boolean } {
  const given = Array.isArray(value) ? (value as readonly Value[]) : isObject(value) ? [value["0"], value["1"]] : [];
  const isFit = (each: Value | undefined): each is number => typeof each === "number" && each >= least && each <= most;
  const [one, two] = given;
  const isMended = [one, two].some((each) => typeof each === "number" && !isFit(each));
  return { pair: [isFit(one) ? one : usual[0], isFit(two) ? two : usual[1]], isMended };
}

export function finite(value: Value | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
