/** The rows of a list of choices: by folder while nothing is typed, by how well they match when something is. */

import { go } from "fuzzysort";

import { stringify } from "@/format/json";
import { sameValue, type Value } from "@/graph/value";

export interface ChoiceRow {
  readonly kind: "choice";
  readonly value: Value;
  /** What is read: the name, without its folder where that stands above. */
  readonly label: string;
  /** Which letters of the label match. */
  readonly matches: ReadonlySet<number>;
  /** Not among the choices of the server, but chosen. */
  readonly isMissing: boolean;
}

interface FolderRow {
  readonly kind: "folder";
  readonly label: string;
}

export type ListRow = ChoiceRow | FolderRow;

const NO_MATCHES: ReadonlySet<number> = new Set();
/** Fewer names than this are not worth sorting into folders. */
const FOLDERS_FROM = 8;

export function rowsOf(choices: readonly Value[], chosen: readonly Value[], query: string): readonly ListRow[] {
  const missing = chosen.filter((value) => !isAmong(choices, value));
  const all = [...missing, ...choices];
  const wanted = query.trim();
  if (wanted !== "") return matching(all, wanted, missing);
  const lost = missing.map((value) => rowOf(value, textOf(value), true));
  return [...lost, ...inFolders(choices)];
}

export function isAmong(choices: readonly Value[], value: Value): boolean {
  return choices.some((each) => sameValue(each, value));
}

/** A value as it is read: true, 4 and "euler" are all choices, and several of them are a list. */
export function textOf(value: Value): string {
  if (Array.isArray(value)) return (value as readonly Value[]).map(textOf).join(", ");
  return typeof value === "string" ? value : typeof value === "object" ? stringify(value) : String(value);
}

/** The choice some steps away from the one that is chosen, without going round; null when there is none. */
export function neighbour(choices: readonly Value[], value: Value, steps: number): Value {
  const place = choices.findIndex((each) => sameValue(each, value));
  return choices[Math.min(choices.length - 1, Math.max(0, place + steps))] ?? null;
}

function matching(all: readonly Value[], query: string, missing: readonly Value[]): readonly ListRow[] {
  const named = all.map((value) => ({ value, text: textOf(value) }));
  return go(query, named, { key: "text", limit: 0, threshold: 0.2 }).map((hit) => ({
    kind: "choice",
    value: hit.obj.value,
    label: hit.obj.text,
    matches: new Set(hit.indexes),
    isMissing: isAmong(missing, hit.obj.value),
  }));
}

function inFolders(choices: readonly Value[]): readonly ListRow[] {
  const folders = new Map<string, Value[]>();
  for (const choice of choices) {
    const folder = folderOf(textOf(choice));
    folders.set(folder, [...(folders.get(folder) ?? []), choice]);
  }
  if (choices.length < FOLDERS_FROM || folders.size < 2) return choices.map((each) => rowOf(each, textOf(each)));
  const loose = (folders.get("") ?? []).map((each) => rowOf(each, textOf(each)));
  const sorted = [...folders]
    .filter(([folder]) => folder !== "")
    .flatMap(([folder, inside]) => [
      { kind: "folder", label: folder } as const,
      ...inside.map((each) => rowOf(each, textOf(each).slice(folder.length))),
    ]);
  return [...loose, ...sorted];
}

/** "sdxl/anime/" of "sdxl/anime/dream.safetensors"; Windows' servers say it with a backslash. */
function folderOf(text: string): string {
  return /^(?:.*[/\\])(?=[^/\\]+$)/.exec(text)?.[0] ?? "";
}

function rowOf(value: Value, label: string, isMissing = false): ChoiceRow {
  return { kind: "choice", value, label, matches: NO_MATCHES, isMissing };
}
