/**
 * Copying nodes. They go to the system's clipboard as the text of a small workflow, so that they can be pasted into
 * another window (or into a text editor); a menu's "Paste", for which no browser lets a page read the clipboard
 * unasked, pastes what was copied here last.
 */

import { read, write } from "@/format/editor_file";
import { parse, stringify } from "@/format/json";
import { emptyDocument, ROOT, type Selection } from "@/graph/document";
import { type Clip, copy, duplicate, paste, type Pasted } from "@/graph/edits/clipboard";
import { removeSelection } from "@/graph/edits/nodes";
import type { Outcome } from "@/graph/reason";
import { isObject } from "@/graph/value";
import { nodeTypes } from "@/state/node_types";
import { inWords } from "@/state/opening";
import { toast } from "@/state/toasts";
import { activeTab, editGraph, select, shownGraph, type Tab } from "@/state/workbench";
import { useCanvas } from "@/view/canvas_store";

import { pointerPlace } from "../palette/open_here";

/** What was copied last, here: with all that a text cannot say (where its wires came from). */
let last: { readonly text: string; readonly clip: Clip } | null = null;

const MARK = "latentwire_copied";

/** Copies what is selected. Returns: the text for the clipboard; null when nothing is. */
export function copySelection(): string | null {
  const tab = activeTab();
  if (tab === null || tab.selection.nodes.size + tab.selection.groups.size === 0) return null;
  const clip = copy(tab.history.present, shownGraph(tab).id, tab.selection);
  last = { clip, text: textOf(clip) };
  return last.text;
}

export function cutSelection(): string | null {
  const text = copySelection();
  if (text !== null) {
    editGraph("edit.cut", (document, graph, tab) => removeSelection(document, graph, tab.selection));
  }
  return text;
}

/** The nodes that a text holds, when it was copied from here or from another window of ours. */
export function clipOf(text: string): Clip | null {
  if (last !== null && text.trim() === last.text) return last.clip;
  if (!text.slice(0, 2_000).includes(MARK) && !text.slice(-2_000).includes(MARK)) return null;
  const json = parse(text);
  if (!json.ok || !isObject(json.value)) return null;
  const found = read(json.value, nodeTypes());
  if (!found.ok) return null;
  const { document } = found.value;
  return copy(document, ROOT, {
    nodes: new Set(document.root.nodes.keys()),
    groups: new Set(document.root.groups.keys()),
  });
}

/** Pastes at the pointer, or a little beside the original. */
export function pasteClip(clip: Clip, keepLinks: boolean): void {
  const pointer = pointerPlace();
  const at = pointer === null ? null : useCanvas.getState().screenToGraph(pointer);
  put("edit.paste", (tab) => paste(tab.history.present, shownGraph(tab).id, clip, at, { keepLinks }));
}

export function duplicateSelection(): void {
  put("edit.duplicate", (tab) => duplicate(tab.history.present, shownGraph(tab).id, tab.selection));
}

/** From a menu or the command search: the browser's own copying, which then comes back to us as an event. */
export function copyByCommand(): void {
  const text = copySelection();
  if (text !== null) void navigator.clipboard?.writeText(text).catch(() => undefined);
}

export function cutByCommand(): void {
  const text = cutSelection();
  if (text !== null) void navigator.clipboard?.writeText(text).catch(() => undefined);
}

export function pasteByCommand(keepLinks: boolean): void {
  if (last !== null) pasteClip(last.clip, keepLinks);
}

function put(name: string, change: (tab: Tab) => Outcome<Pasted>): void {
  const tab = activeTab();
  if (tab === null) return;
  const outcome = change(tab);
  if (!outcome.ok) return toast("warning", inWords(outcome.reason));
  editGraph(name, () => outcome.value.document);
  select(outcome.value.selection satisfies Selection);
}

function textOf(clip: Clip): string {
  const document = emptyDocument(crypto.randomUUID());
  const root = {
    ...document.root,
    nodes: new Map(clip.nodes.map((node) => [node.id, node])),
    links: new Map(clip.links.map((link) => [link.id, link])),
    groups: new Map(clip.groups.map((group) => [group.id, group])),
  };
  const subgraphs = new Map(clip.subgraphs.map((graph) => [graph.id, graph]));
  const file = write({ ...document, root, subgraphs }, nodeTypes());
  return stringify({ [MARK]: true, ...file });
}
