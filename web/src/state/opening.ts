/**
 * Opens workflows into tabs: files from the disk, dropped or pasted ones, pictures, templates, and what is kept on the
 * server. What cannot be read is said, and what is on screen stays.
 */

import { create } from "zustand";

import { ask } from "@/api/client";
import { unknownTypes } from "@/format/editor_file";
import { open } from "@/format/open";
import { type Document, emptyDocument } from "@/graph/document";
import { done, type Outcome, type Reason, reason, refused } from "@/graph/reason";
import { lookUp, t } from "@/texts/index";

import { freeName } from "./keeping_names";
import { nodeTypes } from "./node_types";
import { toast } from "./toasts";
import { openTab, showTab, type Tab, type TabId, updateTab, useWorkbench } from "./workbench";

interface Opening {
  /** The name of what is being read, while it takes a while. */
  readonly busy: string | null;
  /** A picture without a workflow: the person is asked what to do with it. */
  readonly picture: File | null;
}

export const useOpening = create<Opening>()(() => ({ busy: null, picture: null }));

interface Opened {
  readonly document: Document;
  readonly notes: readonly string[];
}

export interface Template {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Files of the person's own, each by its folder and a usual name; none where it runs at once. */
  readonly needs: readonly string[];
}

/** No workflow is larger, and no picture that carries one; reading more would only make the browser run out of memory. */
const MAX_BYTES = 300 * 2 ** 20;
/** From here on reading takes long enough to be shown. */
const SLOW_BYTES = 500_000;

/** Reads what anything holds: an editor or API file, or a picture drawn with a workflow inside. */
export function readWorkflow(content: string | Uint8Array, name: string): Outcome<Opened> {
  const found = open(content, name, nodeTypes());
  if (!found.ok) return found;
  // Before the server has told its node types all are unknown, and `tellUnknownTypes` says later which really are.
  const isTold = nodeTypes().size > 0;
  const notes = found.value.notes.filter(({ code }) => isTold || code !== "reason.file_unknown_types");
  return done({ document: found.value.document, notes: notes.map(inWords) });
}

/** Says what open workflows hold that the server does not know; called when it has told its node types at last. */
export function tellUnknownTypes(): void {
  for (const { id, name, history } of useWorkbench.getState().tabs) {
    const notes = unknownTypes(history.present, nodeTypes()).map(inWords);
    if (notes.length > 0) updateTab(id, (tab) => ({ ...tab, notes: [...notes, ...tab.notes] }));
    tellNotes(notes, name);
  }
}

/** Opens what was read as a new, unnamed workflow; says why when it is none. Returns: its tab. */
export function openContent(content: string | Uint8Array, name: string): TabId | null {
  const read = readWorkflow(content, name);
  if (read.ok) return openNew(read.value, name);
  toast("error", t("opening.failed", { name }), { detail: inWords(read.reason) });
  return null;
}

/** A new tab for a document that is kept nowhere yet. */
export function openNew({ document, notes }: Opened, name: string): TabId {
  const { tabs } = useWorkbench.getState();
  const title = freeName(withoutEnding(name), new Set(tabs.map((each) => each.name)));
  const id = openTab(withOwnId(document), title, { notes });
  tellNotes(notes, title);
  return id;
}

export function openEmpty(): TabId {
  return openNew({ document: emptyDocument(crypto.randomUUID()), notes: [] }, t("tabs.untitled"));
}

/** Opens files, one tab each; a picture without a workflow asks what it is for. */
export async function openFiles(files: readonly File[]): Promise<void> {
  for (const file of files) await openFile(file);
}

export async function openFile(file: File): Promise<TabId | null> {
  if (file.size > MAX_BYTES) {
    toast("error", t("opening.failed", { name: file.name }), { detail: inWords(reason("reason.file_too_large")) });
    return null;
  }
  return busyWith(file.name, file.size, async () => {
    const read = await contentOf(file);
    if (!read.ok) return complain(file.name, read.reason);
    const found = readWorkflow(read.value, file.name);
    if (found.ok) return openNew(found.value, file.name);
    if (!file.type.startsWith("image/")) return complain(file.name, found.reason);
    useOpening.setState({ picture: file });
    return null;
  });
}

export async function openTemplate({ name, title }: Pick<Template, "name" | "title">): Promise<TabId | null> {
  return busyWith(title, 0, async () => {
    const read = await readTemplate(name);
    if (!read.ok) return complain(title, read.reason);
    // Each time one starts from a template is a workflow of its own.
    return openNew({ ...read.value, document: { ...read.value.document, id: crypto.randomUUID() } }, title);
  });
}

export async function readTemplate(name: string): Promise<Outcome<Opened>> {
  const content = await fetchText(`templates/${encodeURIComponent(name)}`);
  return content.ok ? readWorkflow(content.value, name) : content;
}

export async function listTemplates(): Promise<readonly Template[]> {
  const content = await fetchText("templates");
  if (!content.ok) return [];
  const known: unknown = JSON.parse(content.value);
  return Array.isArray(known) ? known.filter(isTemplate) : [];
}

/** Shows a spinner named after what is read; small things are read before it would be seen. */
export async function busyWith<T>(name: string, size: number, work: () => Promise<T>): Promise<T> {
  const later = setTimeout(() => useOpening.setState({ busy: name }), size > SLOW_BYTES ? 0 : 400);
  try {
    if (size > SLOW_BYTES) await painted();
    return await work();
  } finally {
    clearTimeout(later);
    useOpening.setState({ busy: null });
  }
}

export function inWords(why: Reason): string {
  return lookUp(why.code, why.words);
}

/** Shows the tab of a kept file when it is open already. */
export function showOpen(path: string): Tab | null {
  const tab = useWorkbench.getState().tabs.find((each) => each.kept?.path === path) ?? null;
  if (tab !== null) showTab(tab.id);
  return tab;
}

/** A document whose id no open workflow has: what runs is told apart by it. */
export function withOwnId(document: Document): Document {
  const isTaken = useWorkbench.getState().tabs.some((each) => each.history.present.id === document.id);
  return isTaken || document.id === "" ? { ...document, id: crypto.randomUUID() } : document;
}

export function tellNotes(notes: readonly string[], name: string): void {
  if (notes.length === 0) return;
  const shown = notes.slice(0, 5).join("\n");
  const more = notes.length > 5 ? `\n${t("opening.more_notes", { count: notes.length - 5 })}` : "";
  toast("warning", t("opening.notes", { name }), { detail: shown + more });
}

function complain(name: string, why: Reason): null {
  toast("error", t("opening.failed", { name }), { detail: inWords(why) });
  return null;
}

async function contentOf(file: File): Promise<Outcome<string | Uint8Array>> {
  try {
    const isText = file.type.includes("json") || file.type.startsWith("text/") || file.name.endsWith(".json");
    return done(isText ? await file.text() : new Uint8Array(await file.arrayBuffer()));
  } catch {
    return refused(reason("reason.file_unreadable"));
  }
}

async function fetchText(path: string): Promise<Outcome<string>> {
  try {
    const response = await ask(path);
    if (!response.ok) return refused(reason("reason.not_on_server"));
    return done(await response.text());
  } catch {
    return refused(reason("reason.server_away"));
  }
}

function withoutEnding(name: string): string {
  return name.replace(/\.(editor\.)?(json|png|webp|jpe?g)$/i, "") || name;
}

function isTemplate(each: unknown): each is Template {
  if (typeof each !== "object" || each === null) return false;
  const told = each as Record<string, unknown>;
  return ["name", "title", "description"].every((key) => typeof told[key] === "string") && Array.isArray(told["needs"]);
}

/** When the browser has drawn what was set before: two frames, or a moment in a hidden page. */
function painted(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 60);
  });
}
