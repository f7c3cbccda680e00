/** Names of workflows, and the files they are. */

import { type Reason, reason } from "@/graph/reason";

import { DRAFTS, WORKFLOWS } from "./keeping_place";
import type { Tab } from "./workbench";

/** Why a workflow cannot have this name; null when it can. A "/" makes a folder. */
export function checkName(name: string): Reason | null {
  const trimmed = name.trim();
  if (trimmed === "") return reason("reason.name_empty");
  if (trimmed.length > 150) return reason("reason.name_long");
  if (/[\\:*?"<>|]/.test(trimmed) || hasControls(trimmed)) return reason("reason.name_signs");
  if (trimmed.split("/").some((part) => part.trim() === "" || part.startsWith("."))) return reason("reason.name_dots");
  return null;
}

export function pathOf(name: string): string {
  return `${WORKFLOWS}${name.trim()}.json`;
}

export function nameOf(path: string): string {
  return path.replace(WORKFLOWS, "").replace(/\.json$/, "");
}

/** Whether a tab's workflow has no name of its own yet. */
export function isDraft(tab: Tab): boolean {
  return tab.kept === null || tab.kept.path.startsWith(DRAFTS);
}

/** Where a tab's workflow is kept, or will be. */
export function placeOf(tab: Tab): string {
  return tab.kept?.path ?? `${DRAFTS}${tab.history.present.id.replace(/[^\w-]/g, "")}.json`;
}

/** "portrait", or "portrait (2)" when that is taken. */
export function freeName(wanted: string, taken: ReadonlySet<string>): string {
  if (!taken.has(wanted)) return wanted;
  const stem = wanted.replace(/ \(\d+\)$/, "");
  for (let i = 2; ; i++) if (!taken.has(`${stem} (${i})`)) return `${stem} (${i})`;
}

function hasControls(text: string): boolean {
  return [...text].some((sign) => (sign.codePointAt(0) ?? 0) < 32);
}
