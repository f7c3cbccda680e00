/** May this output go into that input? And what a bypassed node hands on. */

import type { Node } from "./document";

/** Whether slots of two types can be joined: alike but for case, either any, or one alternative in common. */
export function areCompatible(one: string, other: string): boolean {
  const [left, right] = [one.trim().toLowerCase(), other.trim().toLowerCase()];
  if (left === right || isAny(left) || isAny(right)) return true;
  if (!left.includes(",") && !right.includes(",")) return false;
  const alternatives = new Set(left.split(",").map((each) => each.trim()));
  return right.split(",").some((each) => alternatives.has(each.trim()));
}

export function isAny(type: string): boolean {
  return type === "" || type === "*";
}

/** Which input slot a bypassed node hands on at an output to one who wants this type; null: none. */
export function throughBypassed(node: Node, output: number, wanted: string): number | null {
  const inputs = node.inputs;
  if (inputs.length === 0) return null;
  if (isAny(wanted)) return output < inputs.length ? output : 0;
  const given = node.outputs[output]?.type ?? "*";
  const suits = (slot: number): boolean => {
    const type = inputs[slot]?.type ?? "*";
    return areCompatible(type, given) && areCompatible(type, wanted);
  };
  if (output < inputs.length && suits(output)) return output;
  const exact = inputs.findIndex((each) => each.type === wanted);
  const found = exact >= 0 ? exact : inputs.findIndex((_, slot) => suits(slot));
  return found >= 0 ? found : null;
}
