/**
 * Which inputs of a node are widgets (values typed into it) and which are sockets, what a widget holds before anyone
 * touches it, and which inputs a node has now: some come and go with a choice or with what is wired.
 */

import type { Control, InputSlot, Node } from "./document";
import type { InputType, NodeType } from "./node_type";
import { isAutogrow, isDynamicCombo, readInputs } from "./object_info";
import { isObject, sameValue, type Value } from "./value";

/** Types of which a person can type or choose a value. */
const DRAWN_EVERYWHERE = ["INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"];
const DRAWN_SOMEWHERE = ["AUDIO_RECORD", "BOUNDING_BOX", "COLOR", "CURVE", "IMAGECOMPARE", "LOAD_3D"];
const DRAWN_RARELY = ["LOAD_3D_ANIMATION", "MARKDOWN", "RANGE", "WEBCAM"];
const WIDGET_KINDS: ReadonlySet<string> = new Set([...DRAWN_EVERYWHERE, ...DRAWN_SOMEWHERE, ...DRAWN_RARELY]);

const EMPTY: Readonly<Record<string, Value>> = { INT: 0, FLOAT: 0, STRING: "", BOOLEAN: false };

const SEED_NAMES: ReadonlySet<string> = new Set(["seed", "noise_seed"]);

const CONTROLS: ReadonlySet<unknown> = new Set<Control>([
  "fixed",
  "increment",
  "decrement",
  "randomize",
  "increment-wrap",
]);

export function isControl(value: unknown): value is Control {
  return CONTROLS.has(value);
}

/** What kind of widget an input would have: "COMBO" for every kind of choice, else its type. */
export function kindOf(input: InputType): string {
  if (isDynamicCombo(input)) return "COMBO";
  const told = input.options["widgetType"];
  return typeof told === "string" ? told : input.type;
}

/** Whether a person gives this input its value inside the node. */
export function isWidget(input: InputType): boolean {
  return WIDGET_KINDS.has(kindOf(input)) && input.options["forceInput"] !== true;
}

/** Whether values of a socket's type can come from a widget: those a PrimitiveNode can hold. */
export function isWidgetType(type: string): boolean {
  return WIDGET_KINDS.has(type);
}

/** What a widget holds before anyone touches it; null for types without an empty value. */
export function defaultOf(input: InputType): Value {
  const told = input.options["default"];
  if (told !== undefined) return told;
  return input.choices?.[0] ?? EMPTY[kindOf(input)] ?? null;
}

/** Whether something may happen to this value after each run (seeds, mostly). */
export function hasControl(input: InputType): boolean {
  const told = input.options["control_after_generate"];
  const isTold = told !== undefined && told !== null && told !== false && told !== "";
  if (input.type === "INT") return isTold || ((told === undefined || told === null) && SEED_NAMES.has(input.name));
  return isTold && input.type === "COMBO";
}

/** What happens to such a value until someone chooses. */
export function defaultControl(input: InputType): Control {
  const told = input.options["control_after_generate"];
  return isControl(told) ? told : "randomize";
}

/** The widgets a node has now, in the order of its type; those a chosen option brings follow their combo. */
export function widgetsOf(type: NodeType, node: Node): InputType[] {
  return inputsOf(type, node.values, node.inputs).filter(isWidget);
}

/**
 * All inputs a node of this type has with these values and slots. The values decide what dynamic combos bring, the
 * slots how far growing groups have grown.
 */
export function inputsOf(
  type: NodeType,
  values: Readonly<Record<string, Value>>,
  slots: readonly InputSlot[],
): InputType[] {
  return type.inputs.flatMap((input) => expanded(input, values, slots));
}

function expanded(
  input: InputType,
  values: Readonly<Record<string, Value>>,
  slots: readonly InputSlot[],
): readonly InputType[] {
  if (isAutogrow(input)) return grown(input, slots);
  if (!isDynamicCombo(input)) return [input];
  const chosen = values[input.name] ?? defaultOf(input);
  return [input, ...broughtBy(input, chosen).flatMap((each) => expanded(each, values, slots))];
}

/** The inputs that an option of a dynamic combo brings, named `combo.input`. */
function broughtBy(combo: InputType, chosen: Value): InputType[] {
  const options = combo.options["options"];
  if (!Array.isArray(options)) return [];
  const option = (options as readonly Value[]).find(
    (each) => isObject(each) && each["key"] !== undefined && sameValue(each["key"], chosen),
  );
  return isObject(option) ? readInputs(option["inputs"], combo.name) : [];
}

/** The inputs of a growing group: as many as the node has slots for, and at least its minimum. */
function grown(group: InputType, slots: readonly InputSlot[]): InputType[] {
  const growth = growthOf(group);
  if (growth === null) return [];
  const present = slots.filter((slot) => slot.name.startsWith(`${group.name}.`)).map((slot) => slot.name);
  const named = growth.names.slice(0, Math.max(growth.min, present.length));
  return named.map((name, i) => ({ ...growth.first, name, required: i < growth.min && group.required }));
}

interface Growth {
  readonly first: InputType;
  /** Every name the group can grow to, in order. */
  readonly names: readonly string[];
  /** How many it always shows; at least 1, to have something to wire. */
  readonly min: number;
}

const MOST_GROWN = 100;

export function growthOf(group: InputType): Growth | null {
  const template = group.options["template"];
  if (!isObject(template)) return null;
  const [first] = readInputs(template["input"], group.name);
  if (first === undefined) return null;
  const least = Math.max(1, numberOr(template["min"], 1));
  const told = template["names"];
  const listed = Array.isArray(told) ? (told as readonly Value[]).filter((each) => typeof each === "string") : null;
  const prefix = typeof template["prefix"] === "string" ? template["prefix"] : "";
  const most = Math.min(MOST_GROWN, numberOr(template["max"], MOST_GROWN));
  const names = listed ?? Array.from({ length: most }, (_, i) => `${prefix}${i}`);
  return { first, names: names.map((name) => `${group.name}.${name}`), min: least };
}

function numberOr(value: Value | undefined, other: number): number {
  return typeof value === "number" ? value : other;
}
