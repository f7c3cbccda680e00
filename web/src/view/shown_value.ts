/** A widget's value as a short text. */

import type { Value } from "@/graph/value";

const MOST = 120;

export function shownValue(value: Value | undefined): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "object") return "…";
  const text = String(value);
  return text.length > MOST ? `${text.slice(0, MOST)}…` : text;
}
