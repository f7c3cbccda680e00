/**
 * Keeps every open workflow: on the server a moment after each edit, in this browser while the server is away, and all
 * of them open again the next time.
 */

import { ask } from "@/api/client";
import { write as toFile } from "@/format/editor_file";
import { stringify } from "@/format/json";
import type { Document } from "@/graph/document";

import { browserDrafts } from "./keeping_drafts";
import { isDraft, placeOf } from "./keeping_names";
import { type Place, serverPlace } from "./keeping_place";
import { listenToPeers, tellPeers } from "./keeping_peers";
import { restore } from "./keeping_restore";
import { remember } from "./keeping_tabs";
import { dropKeeping, isTouched, keepingOf, useKeeping, Writer, type WriterTools } from "./keeping_writer";
import { nodeTypes, useNodeTypes } from "./node_types";
import { tellUnknownTypes } from "./opening";
import { useRun } from "./run";
import { adoptTypes, closeTab, followNewTypes, type TabId, useWorkbench } from "./workbench";

interface Keeper {
  readonly place: Place;
  readonly tools: WriterTools;
  readonly writer: Writer;
}

let keeper: Keeper | null = null;

/** What keeps workflows; made with the first use, so that tests can bring their own place. */
export function theKeeper(tools: Partial<WriterTools> = {}): Keeper {
  if (keeper !== null) return keeper;
  const all: WriterTools = {
    place: serverPlace(ask),
    drafts: browserDrafts(),
    textOf: fileText,
    tell: tellPeers,
    ...tools,
  };
  keeper = { place: all.place, tools: all, writer: new Writer(all) };
  return keeper;
}

/** Begins to keep, and opens what was open last time. Returns: what ends it. */
export function start(): () => void {
  const { writer, place, tools } = theKeeper();
  let isRestored = false;
  let seen: ReadonlyMap<TabId, Document> = new Map();
  const ends = [
    useWorkbench.subscribe((state) => {
      for (const tab of state.tabs) {
        const isWaiting = keepingOf(tab.id).state === "changed" || tab.history.present === tab.saved;
        if (!isWaiting && seen.get(tab.id) !== tab.history.present) writer.schedule(tab.id);
      }
      seen = new Map(state.tabs.map((tab) => [tab.id, tab.history.present]));
      if (isRestored) rememberTabs();
    }),
    useRun.subscribe((state, before) => {
      if (state.connection === "open" && before.connection !== "open") writer.retry();
    }),
    useNodeTypes.subscribe((state, before) => {
      if (state.types === before.types) return;
      followNewTypes(before.types);
      adoptTypes();
      if (before.types.size === 0) tellUnknownTypes();
    }),
    listenToPeers(place),
    onLeaving((isLast) => writer.flush(isLast)),
  ];
  void restore(tools).finally(() => {
    isRestored = true;
    useKeeping.setState({ isRestoring: false });
    rememberTabs();
  });
  return () => {
    for (const end of ends) end();
  };
}

export function fileText(document: Document): string {
  return stringify(toFile(document, nodeTypes()));
}

/** Closes a tab whose workflow is wanted when all of it is written. Returns: whether it could be. */
export async function closeKept(id: TabId): Promise<boolean> {
  const { kind } = await theKeeper().writer.save(id);
  if (kind === "written") forget(id);
  return kind === "written";
}

/** Closes a tab also when it cannot be written: what is unwritten stays in the browser until it is opened again. */
export async function closeUnwritten(id: TabId): Promise<void> {
  await theKeeper().writer.save(id);
  forget(id);
}

/** Closes a tab and lets go of what is unwritten in it: all of a workflow without a name. */
export async function discard(id: TabId): Promise<void> {
  const { place, writer } = theKeeper();
  const tab = useWorkbench.getState().tabs.find((each) => each.id === id);
  forget(id);
  if (tab === undefined) return;
  await writer.idle(id);
  const path = placeOf(tab);
  await Promise.all([forgetDraft(path), isDraft(tab) ? place.remove(path) : null]);
}

/** What this browser kept of a workflow is not wanted any more. */
export async function forgetDraft(path: string): Promise<void> {
  await theKeeper()
    .tools.drafts.remove(path)
    .catch(() => undefined);
}

function forget(id: TabId): void {
  theKeeper().writer.forget(id);
  closeTab(id);
  dropKeeping(id);
}

function rememberTabs(): void {
  const { tabs, active } = useWorkbench.getState();
  const open = tabs.map((tab) => ({ path: placeOf(tab), name: tab.name, isTouched: isTouched(tab) }));
  remember({ tabs: open, active: tabs.findIndex((each) => each.id === active) }, [sessionStorage, localStorage]);
}

function onLeaving(act: (isLast: boolean) => void): () => void {
  const hide = (): void => {
    if (document.visibilityState === "hidden") act(false);
  };
  const leave = (): void => act(true);
  document.addEventListener("visibilitychange", hide);
  window.addEventListener("pagehide", leave);
  return () => {
    document.removeEventListener("visibilitychange", hide);
    window.removeEventListener("pagehide", leave);
  };
}
