/** Node types out of the JSON of /object_info, both its old forms and its new ones. What is malformed is left out. */

import type { InputType, NodeType, NodeTypes, OutputType } from "./node_type";
import { isObject, type JsonObject, type Value } from "./value";

const DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO";
const AUTOGROW = "COMFY_AUTOGROW";

/** Whether choosing a value of this input brings inputs of the choice's own. */
export function isDynamicCombo(input: InputType): boolean {
  return input.type.startsWith(DYNAMIC_COMBO);
}

/** Whether this is a group of inputs that grows by one whenever its last one is wired. */
export function isAutogrow(input: InputType): boolean {
  return input.type.startsWith(AUTOGROW);
}

export function readObjectInfo(json: Value): NodeTypes {
  const types = new Map<string, NodeType>();
  if (!isObject(json)) return types;
  for (const [id, entry] of Object.entries(json)) if (isObject(entry)) types.set(id, readNodeType(id, entry));
  return types;
}

function readNodeType(id: string, entry: JsonObject): NodeType {
  const order = objectAt(entry, "input_order");
  const inputs = objectAt(entry, "input");
  return {
    id,
    displayName: textAt(entry, "display_name") || id,
    category: textAt(entry, "category"),
    description: textAt(entry, "description"),
    module: textAt(entry, "python_module") || "nodes",
    inputs: [...readSection(inputs, order, "required"), ...readSection(inputs, order, "optional")],
    outputs: readOutputs(entry),
    isOutput: entry["output_node"] === true,
    isDeprecated: entry["deprecated"] === true,
    isExperimental: entry["experimental"] === true,
    searchAliases: listAt(entry, "search_aliases").filter((each) => typeof each === "string"),
  };
}

/** The inputs that `{required: {name: [type, options]}, optional: …}` describes, their names behind a prefix. */
export function readInputs(sections: Value | undefined, prefix: string): InputType[] {
  if (!isObject(sections)) return [];
  return (["required", "optional"] as const)
    .flatMap((section) => readSection(sections, {}, section))
    .map((input) => ({ ...input, name: `${prefix}.${input.name}` }));
}

function readSection(inputs: JsonObject, order: JsonObject, section: "required" | "optional"): InputType[] {
  const described = objectAt(inputs, section);
  const ordered = listAt(order, section).filter((name) => typeof name === "string" && name in described) as string[];
  const names = [...new Set([...ordered, ...Object.keys(described)])];
  return names.flatMap((name) => readInput(name, described[name] ?? null, section === "required"));
}

function readInput(name: string, config: Value, required: boolean): InputType[] {
  if (!Array.isArray(config)) return [];
  const [type, second] = config as readonly Value[];
  const options = isObject(second) ? second : {};
  if (Array.isArray(type)) return [{ name, type: "COMBO", required, choices: type as readonly Value[], options }];
  if (typeof type !== "string") return [];
  const listed = options["options"];
  if (!Array.isArray(listed)) return [{ name, type, required, choices: type === "COMBO" ? [] : null, options }];
  const choices = (listed as readonly Value[]).map(keyOf);
  if (type.startsWith(DYNAMIC_COMBO)) return [{ name, type, required, choices, options }];
  const { options: _, ...others } = options;
  return [{ name, type, required, choices, options: others }];
}

/** What is stored when an option of a dynamic combo is chosen. */
function keyOf(option: Value): Value {
  return isObject(option) ? (option["key"] ?? null) : option;
}

function readOutputs(entry: JsonObject): OutputType[] {
  const names = listAt(entry, "output_name");
  const lists = listAt(entry, "output_is_list");
  const tooltips = listAt(entry, "output_tooltips");
  return listAt(entry, "output").map((each, i) => {
    // An output's type may be a list of choices in old entries; what flows there is one of them.
    const type = typeof each === "string" ? each : "COMBO";
    const [name, tooltip] = [names[i], tooltips[i]];
    return {
      name: typeof name === "string" ? name : type,
      type,
      isList: lists[i] === true,
      tooltip: typeof tooltip === "string" ? tooltip : "",
    };
  });
}

function textAt(entry: JsonObject, key: string): string {
  const value = entry[key];
  return typeof value === "string" ? value : "";
}

function listAt(entry: JsonObject, key: string): readonly Value[] {
  const value = entry[key];
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}

function objectAt(entry: JsonObject, key: string): JsonObject {
  const value = entry[key];
  return isObject(value) ? value : {};
}
