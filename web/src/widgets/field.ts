/** What every kind of widget is given to draw. */

import { MARKDOWN_NOTE, type Node, NOTE } from "@/graph/document";
import type { InputType } from "@/graph/node_type";
import { type Reason } from "@/graph/reason";
import { type Value } from "@/graph/value";
import { lookUp, t } from "@/texts/index";

import type { Target } from "./target";

export interface FieldProps {
  readonly target: Target;
  readonly node: Node;
  readonly input: InputType;
  /** What the widget holds, its default where it holds nothing yet. */
  readonly value: Value;
  readonly label: string;
  /** What is wrong with the value, as a sentence; null: nothing. */
  readonly problem: string | null;
}

/** What people read as an input's name: the slot's label, the author's, or the name behind its combo's. */
export function labelOf(node: Node, input: InputType): string {
  if (node.type === NOTE || node.type === MARKDOWN_NOTE) return t("widget.note_text");
  const slot = node.inputs.find((each) => each.name === input.name);
  const told = input.options["display_name"];
  if (slot?.label) return slot.label;
  return typeof told === "string" && told !== "" ? told : (input.name.split(".").at(-1) ?? input.name);
}

export function reasonText(reason: Reason): string {
  return lookUp(reason.code, reason.words);
}

/** What is shown when the pointer rests on a widget. */
export function hintOf(input: InputType, problem: string | null): string | undefined {
  const told = input.options["tooltip"];
  const lines = [problem, typeof told === "string" ? told : null].filter((line) => line !== null && line !== "");
  return lines.length === 0 ? undefined : lines.join("\n\n");
}

export function textOption(input: InputType, key: string): string | null {
  const told = input.options[key];
  return typeof told === "string" && told !== "" ? told : null;
}
