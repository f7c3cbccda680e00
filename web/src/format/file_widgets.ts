/**
 * What a drawn node's widgets hold, by the names of its inputs, and back into a row.
 *
 * A file stores the values of a node's widgets in a row, in the order of its type, with entries of the editor's own in
 * between (what happens to the seed after a run, upload buttons). The rules are those of the server's
 * engine/graph/editor_widgets.py; the numbers in comments are those of workflow_formats.md, section 4.
 */

import type { Control } from "@/graph/document";
import type { InputType, NodeType } from "@/graph/node_type";
import { isDynamicCombo, readInputs } from "@/graph/object_info";
import { isObject, type JsonObject, sameValue, type Value } from "@/graph/value";
import { isControl } from "@/graph/widgets";

import { type FileNode, isSet, own, type Slot } from "./file_graph";

const SENT_BY_ALL: ReadonlySet<string> = new Set(["INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"]);

/** Types for which the editor draws a widget. */
const EDITOR_WIDGETS: ReadonlySet<string> = new Set([
  ...SENT_BY_ALL,
  "AUDIO_RECORD",
  "BOUNDING_BOX",
  "COLOR",
  "CURVE",
  "IMAGECOMPARE",
  "LOAD_3D",
  "LOAD_3D_ANIMATION",
  "MARKDOWN",
  "RANGE",
  "WEBCAM",
]);

const SEED_NAMES: ReadonlySet<string> = new Set(["seed", "noise_seed"]);
const UPLOADS = ["image_upload", "video_upload", "audio_upload", "file_upload", "mesh_upload"];
const NOT_SENT: ReadonlySet<string> = new Set(["control_after_generate", "upload"]);
const EMPTY: ReadonlyMap<string, Value> = new Map<string, Value>([
  ["INT", 0],
  ["FLOAT", 0],
  ["STRING", ""],
  ["BOOLEAN", false],
]);

/** Values by input name, as the API format writes them. `isKnown`: false where names had to be left to guessing. */
interface Widgets {
  readonly values: JsonObject;
  readonly isKnown: boolean;
}

/** A widget met on the way through a type's inputs, and its value; undefined where nothing says what it is. */
export interface Widget {
  readonly input: InputType;
  readonly value: Value | undefined;
}

/** Where a walk through a type's inputs takes values from. */
export interface Source {
  readonly dummies: boolean;
  readonly buttons: boolean;
  take(input: InputType): Value | undefined;
  skip(count: number): void;
}

/** The value of each widget of a drawn node, defaults where the file holds none. */
export function widgetValues(node: FileNode, type: NodeType | undefined): Widgets {
  if (type === undefined) return withoutType(node);
  const { widgets } = readWidgets(node, type);
  const values = literals(widgets);
  if (node.named === null) return { values, isKnown: true };
  const surplus = Object.entries(node.named).filter(
    ([name, value]) => !Object.hasOwn(values, name) && isSent(name, value),
  );
  return { values: { ...values, ...Object.fromEntries(surplus) }, isKnown: true };
}

/** A node's widgets in order; what follows each value in the row; and what is left in the row behind them all. */
interface ReadWidgets {
  readonly widgets: readonly Widget[];
  readonly controls: ReadonlyMap<string, Control>;
  readonly rest: readonly Value[];
}

export function readWidgets(node: FileNode, type: NodeType): ReadWidgets {
  const inputs = inOrder(type.inputs);
  if (node.named !== null)
    return { widgets: walk(inputs, node.inputs, new Named(node.named)), controls: NONE, rest: [] }; // 7
  const row = node.values ?? [];
  let fits: ReadWidgets = { widgets: [], controls: NONE, rest: [] };
  for (const [dummies, buttons] of TRIES) {
    const positions = new Positions(row, dummies, buttons);
    const widgets = walk(inputs, node.inputs, positions);
    const found = { widgets, controls: positions.controls, rest: row.slice(positions.taken) };
    if (positions.taken === row.length) return found;
    if (!dummies && buttons) fits = found;
  }
  return fits; // 6: shorter or longer than the type says
}

const NONE: ReadonlyMap<string, Control> = new Map();

const TRIES = [
  [true, true],
  [true, false],
  [false, true],
  [false, false],
] as const; // 3, 5

/** Inner nodes of a group node with its row of values dealt out to them; `joined` widgets are wired inside. */
export function groupValues(
  nodes: readonly FileNode[],
  types: readonly (NodeType | undefined)[],
  joined: readonly ReadonlySet<string>[],
  row: readonly Value[],
): FileNode[] {
  let dealt: FileNode[] = [];
  for (const buttons of [true, false]) {
    const positions = new Positions(row, false, buttons);
    dealt = nodes.map((node, i) => dealtOut(node, types[i], joined[i] ?? new Set(), row, positions));
    if (positions.taken === row.length) break;
  }
  return dealt;
}

function dealtOut(
  node: FileNode,
  type: NodeType | undefined,
  wired: ReadonlySet<string>,
  row: readonly Value[],
  positions: Positions,
): FileNode {
  if (node.type === "PrimitiveNode") {
    const kind = node.outputs.includes("COMBO") ? "COMBO" : "INT";
    const options = { control_after_generate: true };
    const value = positions.take({ name: "value", type: kind, required: true, choices: null, options });
    return value === undefined ? node : { ...node, values: [value] };
  }
  if (type === undefined) {
    const count = node.values?.length ?? 0;
    const values = row.slice(positions.taken, positions.taken + count);
    positions.skip(count);
    return { ...node, values };
  }
  const inputs = inOrder(type.inputs).filter((each) => !wired.has(each.name));
  return { ...node, values: null, named: literals(walk(inputs, node.inputs, positions)) };
}

/** Whether the editor stores what happens to this value after a run, behind it. */
export function controlFollows(input: InputType): boolean {
  const chosen = input.options["control_after_generate"];
  if (input.type === "INT") return isSet(chosen) || ((chosen ?? null) === null && SEED_NAMES.has(input.name)); // 2
  return isSet(chosen) && input.type === "COMBO";
}

/** The value as the API format writes it: a list would be taken for a link. */
export function asLiteral(value: Value): Value {
  return Array.isArray(value) ? { __value__: value } : value; // 9
}

/** Takes a value for each widget in turn; chosen options and grown groups bring in more inputs on the way. */
export function walk(
  inputs: readonly InputType[],
  slots: readonly Pick<Slot, "name" | "isWidget">[],
  source: Source,
): Widget[] {
  const found = new Map<string, Widget>();
  const required = inputs.filter((each) => each.required);
  const uploads = required.filter((each) => UPLOADS.some((key) => isSet(each.options[key]))).length;
  const waiting: (InputType | number)[] = [...inputs];
  waiting.splice(required.length, 0, uploads);
  waiting.reverse();
  for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
    if (typeof each === "number") {
      source.skip(source.buttons ? each : 0); // 3: the buttons at the end of the required ones
    } else if (each.type.startsWith("COMFY_AUTOGROW")) {
      for (const one of grown(each, slots).toReversed()) waiting.push(one);
    } else if (EDITOR_WIDGETS.has(kindOf(each)) && !isSet(each.options["forceInput"])) {
      const value = settled(each, source.take(each));
      found.set(each.name, { input: each, value });
      if (isDynamicCombo(each)) for (const one of chosen(each, value).toReversed()) waiting.push(one);
    } else if (SENT_BY_ALL.has(kindOf(each)) && source.dummies) {
      source.skip(controlFollows(each) ? 2 : 1); // 5
    }
  }
  return [...found.values()];
}

/** The widgets' values as the API format writes them. */
export function literals(widgets: readonly Widget[]): JsonObject {
  const found: [string, Value][] = [];
  for (const { input, value } of widgets) {
    if (value === undefined) continue;
    const isCurve = input.type === "CURVE" && Array.isArray(value);
    found.push([input.name, isCurve ? { __type__: "CURVE", __value__: value } : asLiteral(value)]);
  }
  return Object.fromEntries(found);
}

export function inOrder(inputs: readonly InputType[]): InputType[] {
  return [...inputs.filter((each) => each.required), ...inputs.filter((each) => !each.required)];
}

/** A value with the default in its place where there is none. */
export function settled(input: InputType, value: Value | undefined): Value | undefined {
  if (value !== undefined && (value !== null || !EMPTY.has(kindOf(input)))) return value;
  return defaultOf(input) ?? undefined; // 6, 8
}

/** Whether a stored value the type does not list may be an input it makes while it is drawn. */
export function isSent(name: string, value: Value): boolean {
  return !NOT_SENT.has(name) && !name.includes("$$") && value !== null && typeof value !== "object";
}

/** Values by name. */
export class Named implements Source {
  readonly dummies = false;
  readonly buttons = false;

  constructor(private readonly values: JsonObject) {}

  take(input: InputType): Value | undefined {
    return own(this.values, input.name);
  }

  skip(): void {
    // Names need no skipping.
  }
}

/** Values in a row, taken from the left. `taken` counts what the type asked for, there or not. */
class Positions implements Source {
  taken = 0;
  readonly controls = new Map<string, Control>();

  constructor(
    private readonly row: readonly Value[],
    readonly dummies: boolean,
    readonly buttons: boolean,
  ) {}

  take(input: InputType): Value | undefined {
    let value = this.next();
    if (isControl(value) && ["INT", "FLOAT", "BOOLEAN"].includes(kindOf(input))) {
      value = this.next(); // the file's version of the node had a control where ours has none
    }
    if (controlFollows(input)) this.takeControl(input);
    return value;
  }

  skip(count: number): void {
    this.taken += count;
  }

  private next(): Value | undefined {
    const value = this.row[this.taken];
    this.taken += 1;
    return value;
  }

  private takeControl(input: InputType): void {
    const follower = this.row[this.taken] ?? null;
    // Files of 2023 have a boolean there: "random seed after every gen".
    if (follower !== null && typeof follower !== "boolean" && !isControl(follower)) return;
    if (isControl(follower)) this.controls.set(input.name, follower);
    else this.controls.set(input.name, follower === true ? "randomize" : "fixed");
    this.taken += input.type === "COMBO" ? 2 : 1; // a combo has a filter text behind it
  }
}

function kindOf(input: InputType): string {
  if (isDynamicCombo(input)) return "COMBO";
  const told = input.options["widgetType"];
  return isSet(told) ? String(told) : input.type;
}

/** What a widget holds before anyone touches it; null for types without an empty value. */
function defaultOf(input: InputType): Value {
  const told = input.options["default"];
  if (told !== undefined) return told;
  const [first] = optionsOf(input);
  return (first === undefined ? EMPTY.get(kindOf(input)) : keyOf(first)) ?? null;
}

function optionsOf(combo: InputType): readonly Value[] {
  const listed = combo.options["options"];
  return Array.isArray(listed) ? (listed as readonly Value[]) : (combo.choices ?? []);
}

function keyOf(option: Value): Value {
  return isObject(option) ? (option["key"] ?? null) : option;
}

/** The inputs a chosen option of a dynamic combo brings, named `combo.input`. */
function chosen(combo: InputType, value: Value | undefined): InputType[] {
  if (value === undefined) return [];
  const options = optionsOf(combo).filter((each) => isObject(each) && sameValue(each["key"] ?? null, value));
  return options.flatMap((each) => (isObject(each) ? readInputs(each["inputs"], combo.name) : []));
}

/** The widgets of a growing group: as many as the drawn node has slots for. */
function grown(group: InputType, slots: readonly Pick<Slot, "name" | "isWidget">[]): InputType[] {
  const template = group.options["template"];
  const [first] = isObject(template) ? readInputs(template["input"], group.name) : [];
  if (first === undefined) return [];
  return slots
    .filter((slot) => slot.isWidget && slot.name.startsWith(`${group.name}.`))
    .map((slot) => ({ ...first, name: slot.name, required: true }));
}

/** Values of a node of a kind nobody knows: by name, or one for each of its slots that stand for a widget. */
function withoutType(node: FileNode): Widgets {
  if (node.named !== null) {
    const sent = Object.entries(node.named).filter(([name, value]) => isSent(name, value));
    return { values: Object.fromEntries(sent), isKnown: true };
  }
  const row = node.values ?? [];
  const found: [string, Value][] = [];
  let place = 0;
  for (const { name } of node.inputs.filter((slot) => slot.isWidget)) {
    const value = row[place];
    if (value !== undefined) found.push([name, asLiteral(value)]);
    place += 1;
    if (isControl(row[place])) place += 1;
  }
  return place === row.length ? { values: Object.fromEntries(found), isKnown: true } : { values: {}, isKnown: false };
}
