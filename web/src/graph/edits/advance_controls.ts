/** What happens to seeds and other controlled values after a run: one up, one down, or another by chance. */

import { type Control, type Document, type Graph, INPUT_NODE, type Node, withGraph } from "../document";
import { linkInto } from "../links";
import { inputsAt } from "../node_inputs";
import type { InputType, NodeTypes } from "../node_type";
import { isNumeric, sameValue, type Value } from "../value";
import { changeNode } from "./graph_change";

/** ComfyUI: its editor draws no number beyond what a double counts in ones, though seeds have 64 bits. */
const MOST_DRAWN = 2 ** 53;

/**
 * The document after a run, each controlled value taken on; `random` gives numbers in [0, 1). Values that a wire
 * overrides stay.
 */
export function afterRun(document: Document, types: NodeTypes, random: () => number = Math.random): Document {
  let result = document;
  for (const graph of [document.root, ...document.subgraphs.values()]) {
    let changed = graph;
    for (const node of graph.nodes.values()) {
      if (Object.values(node.controls).every((control) => control === "fixed")) continue;
      const values = advancedValues(document, graph, types, node, random);
      if (values !== node.values) changed = changeNode(changed, node.id, (each) => ({ ...each, values }));
    }
    result = withGraph(result, changed);
  }
  return result;
}

/** The inputs whose values would go up or down after a run, and stand at their end: each run would be the same. */
export function stuckInputs(document: Document, types: NodeTypes): readonly string[] {
  const found = new Set<string>();
  for (const graph of [document.root, ...document.subgraphs.values()]) {
    for (const node of graph.nodes.values()) {
      if (!Object.values(node.controls).some(goesOneWay)) continue;
      const after = advancedValues(document, graph, types, node, () => 0);
      for (const { name, choices } of inputsAt(document, graph, types, node)) {
        const isOneWay = goesOneWay(node.controls[name]) && choices === null && isNumeric(node.values[name] ?? null);
        if (isOneWay && after[name] === node.values[name] && !isOverridden(document, graph, node, name))
          found.add(name);
      }
    }
  }
  return [...found];
}

function goesOneWay(control: Control | undefined): boolean {
  return control === "increment" || control === "decrement";
}

function advancedValues(
  document: Document,
  graph: Graph,
  types: NodeTypes,
  node: Node,
  random: () => number,
): Node["values"] {
  let values = node.values;
  for (const input of inputsAt(document, graph, types, node)) {
    const control = node.controls[input.name];
    const value = node.values[input.name];
    if (control === undefined || control === "fixed" || value === undefined) continue;
    if (isOverridden(document, graph, node, input.name)) continue;
    const next = advanced(input, value, control, random);
    if (!sameValue(next, value)) values = { ...values, [input.name]: next };
  }
  return values;
}

/** Whether a wire brings the value: not when it comes from a boundary at which no instance gives anything. */
function isOverridden(document: Document, graph: Graph, node: Node, name: string): boolean {
  const slot = node.inputs.findIndex((each) => each.name === name);
  const link = slot < 0 ? null : linkInto(graph, node.id, slot);
  if (link === null) return false;
  const port = link.origin === INPUT_NODE ? graph.inputs[link.originSlot] : undefined;
  if (port === undefined) return true;
  return instancesOf(document, graph).every(([outer, instance]) => {
    const place = instance.inputs.findIndex((each) => each.name === port.name);
    return port.name in instance.values || (place >= 0 && linkInto(outer, instance.id, place) !== null);
  });
}

function instancesOf(document: Document, definition: Graph): readonly (readonly [Graph, Node])[] {
  return [document.root, ...document.subgraphs.values()].flatMap((graph) =>
    [...graph.nodes.values()].filter((node) => node.type === definition.id).map((node) => [graph, node] as const),
  );
}

/** The value that follows a value. */
export function advanced(input: InputType, value: Value, control: Control, random: () => number): Value {
  if (input.choices !== null) return advancedChoice(input.choices, value, control, random);
  if (!isNumeric(value)) return value;
  const isFloat = input.type === "FLOAT";
  if (control === "randomize") return isFloat ? drawnFloat(input, random) : drawnWhole(input, random);
  const step = stepOf(input, isFloat);
  const sign = control === "decrement" ? -1 : 1;
  if (isFloat) return bounded(input, rounded(Number(value) + sign * step, step), control);
  const next = wholeOf(value) + BigInt(sign * step);
  return narrowed(bounded(input, next, control));
}

function advancedChoice(choices: readonly Value[], value: Value, control: Control, random: () => number): Value {
  const last = choices.length - 1;
  if (last < 0) return value;
  if (control === "randomize") return choices[Math.min(last, Math.floor(random() * choices.length))] ?? value;
  const place = choices.findIndex((each) => sameValue(each, value));
  const next = place + (control === "decrement" ? -1 : 1);
  const wrapped = control === "increment-wrap" && next > last ? 0 : Math.min(last, Math.max(0, next));
  return choices[wrapped] ?? value;
}

function stepOf(input: InputType, isFloat: boolean): number {
  const told = input.options["step"];
  const step = isNumeric(told) ? Number(told) : 1;
  if (isFloat) return step > 0 ? step : 1;
  return Math.max(1, Math.round(step));
}

/** Inside the limits; beyond the upper one only "increment-wrap" begins anew at the lower one. */
function bounded<T extends number | bigint>(input: InputType, next: T, control: Control): number | bigint {
  const [low, high] = [input.options["min"], input.options["max"]];
  if (isNumeric(high) && next > high) return control === "increment-wrap" && isNumeric(low) ? low : high;
  if (isNumeric(low) && next < low) return low;
  return next;
}

function drawnWhole(input: InputType, random: () => number): Value {
  const [low, high] = [input.options["min"], input.options["max"]];
  const least = Math.max(isNumeric(low) ? Math.ceil(Number(low)) : 0, -MOST_DRAWN);
  const most = Math.min(isNumeric(high) ? Math.floor(Number(high)) : MOST_DRAWN - 1, MOST_DRAWN - 1);
  if (most < least) return isNumeric(low) ? low : 0;
  const step = stepOf(input, false);
  const count = Math.floor((most - least) / step) + 1;
  return Math.min(most, least + Math.floor(random() * count) * step);
}

function drawnFloat(input: InputType, random: () => number): Value {
  const [low, high] = [input.options["min"], input.options["max"]];
  const least = isNumeric(low) ? Number(low) : 0;
  const most = isNumeric(high) ? Number(high) : 1;
  const step = stepOf(input, true);
  return Math.min(most, Math.max(least, rounded(least + random() * (most - least), step)));
}

/** On the grid of the step, without the dust of binary fractions: 0.1 + 0.2 is 0.3. */
function rounded(value: number, step: number): number {
  const digits = Math.min(12, Math.max(0, Math.ceil(-Math.log10(step)) + 2));
  return Number(value.toFixed(digits));
}

function wholeOf(value: number | bigint): bigint {
  return typeof value === "bigint" ? value : BigInt(Math.trunc(value));
}

/** As a number where a double can hold it exactly, as files have it; else as the bigint it is. */
function narrowed(value: number | bigint): Value {
  if (typeof value === "number") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
