/**
 * Writes open workflows to the server: a moment after an edit, one request at a time for each, never over a version
 * that this window has not seen.
 */

import { create } from "zustand";

import type { Document } from "@/graph/document";

import type { Drafts } from "./keeping_drafts";
import { placeOf } from "./keeping_names";
import { canOutlive, type Place, type Written } from "./keeping_place";
import { type Tab, type TabId, updateTab, useWorkbench } from "./workbench";

export interface Keeping {
  /** "changed": another version was written elsewhere, and the person must choose. */
  readonly state: "saved" | "saving" | "away" | "changed" | "failed";
  /** What the server said when it refused. */
  readonly message: string;
}

export const SAVED: Keeping = { state: "saved", message: "" };

export const useKeeping = create<{
  readonly keeping: ReadonlyMap<TabId, Keeping>;
  /** The workflows of last time are being opened. */
  readonly isRestoring: boolean;
  /** Tabs whose workflow was changed before the page was loaded: their history does not tell. */
  readonly touched: ReadonlySet<TabId>;
}>()(() => ({ keeping: new Map(), isRestoring: true, touched: new Set() }));

/** Whether there is anything in a tab that a person made. */
export function isTouched(tab: Tab): boolean {
  return tab.history.past.length > 0 || useKeeping.getState().touched.has(tab.id);
}

export function touch(tab: TabId): void {
  useKeeping.setState(({ touched }) => ({ touched: new Set(touched).add(tab) }));
}

/** Says how keeping a tab went; nothing when it was closed meanwhile. */
export function setKeeping(tab: TabId, state: Keeping["state"], message = ""): void {
  if (tabOf(tab) === null) return;
  useKeeping.setState(({ keeping }) => ({ keeping: new Map(keeping).set(tab, { state, message }) }));
}

/** A tab is closed: nothing is known of it any more. */
export function dropKeeping(tab: TabId): void {
  useKeeping.setState(({ keeping, touched }) => ({
    keeping: new Map([...keeping].filter(([each]) => each !== tab)),
    touched: new Set([...touched].filter((each) => each !== tab)),
  }));
}

export function keepingOf(tab: TabId): Keeping {
  return useKeeping.getState().keeping.get(tab) ?? SAVED;
}

export interface WriterTools {
  readonly place: Place;
  readonly drafts: Drafts;
  /** The text of a workflow's file. Slow for large ones: asked once for each write. */
  readonly textOf: (document: Document) => string;
  /** Tells other windows of this browser. */
  readonly tell: (path: string, etag: string | null) => void;
}

export const WAIT = 1_000;
const LONGEST_WAIT = 10_000;
const TRY_AGAIN = 5_000;
const MOST_UNANSWERED = 2;

export class Writer {
  readonly #tools: WriterTools;
  readonly #timers = new Map<TabId, ReturnType<typeof setTimeout>>();
  readonly #since = new Map<TabId, number>();
  readonly #running = new Map<TabId, Promise<Written>>();
  /** What was sent last and not answered, or not yet: the server may have it all the same. */
  readonly #unanswered = new Map<TabId, readonly string[]>();
  /** How long the last text took to make: large workflows are written less often. */
  #cost = 0;

  constructor(tools: WriterTools) {
    this.#tools = tools;
  }

  /** Writes a tab soon; called after each edit. */
  schedule(id: TabId): void {
    const since = this.#since.get(id) ?? Date.now();
    this.#since.set(id, since);
    const wait = Math.max(WAIT, 10 * this.#cost);
    this.#after(id, Math.max(0, Math.min(wait, since + Math.max(LONGEST_WAIT, wait) - Date.now())));
  }

  /** Writes a tab now. Returns: how that went; "written" when there was nothing to write. */
  async save(id: TabId): Promise<Written> {
    const running = this.#running.get(id);
    if (running !== undefined) {
      await running;
      return this.save(id);
    }
    clearTimeout(this.#timers.get(id));
    this.#since.delete(id);
    const tab = tabOf(id);
    if (tab === null || tab.history.present === tab.saved) return { kind: "written", etag: tab?.kept?.etag ?? null };
    return this.#one(id, this.#write(tab));
  }

  /** Writes a tab under a new name, where there must be no file yet; from then on it is kept there. */
  async keepAt(id: TabId, path: string): Promise<Written> {
    await this.#running.get(id);
    const tab = tabOf(id);
    return tab === null ? { kind: "away" } : this.#one(id, this.#begin(tab, path));
  }

  /** When nothing is being written of a tab. */
  async idle(id: TabId): Promise<void> {
    while (this.#running.has(id)) await this.#running.get(id);
  }

  /** Remembers what runs, so that no two writes of a workflow cross. */
  #one(id: TabId, writing: Promise<Written>): Promise<Written> {
    const running = writing.finally(() => {
      if (this.#running.get(id) === running) this.#running.delete(id);
    });
    this.#running.set(id, running);
    return running;
  }

  async #begin(tab: Tab, path: string): Promise<Written> {
    const document = tab.history.present;
    const result = await this.#tools.place.write(path, this.#tools.textOf(document), { over: null });
    if (result.kind !== "written") return result;
    const kept = { path, etag: result.etag };
    updateTab(tab.id, (each) => ({ ...each, saved: document, kept }));
    setKeeping(tab.id, "saved");
    return result;
  }

  /** The page may go: everything unwritten is sent, and also kept in the browser in case that it does not arrive. */
  flush(isLast: boolean): void {
    for (const tab of useWorkbench.getState().tabs) {
      if (tab.history.present === tab.saved || keepingOf(tab.id).state === "changed") continue;
      const text = this.#tools.textOf(tab.history.present);
      void this.#keepHere(tab, text);
      if (!isLast) void this.save(tab.id);
      else if (canOutlive(text)) void this.#tools.place.write(placeOf(tab), text, { over: versionOf(tab), isLast });
    }
  }

  /** The server is back: whatever waits is written. */
  retry(): void {
    for (const [id, { state }] of useKeeping.getState().keeping) if (state === "away") void this.save(id);
  }

  forget(id: TabId): void {
    clearTimeout(this.#timers.get(id));
    for (const each of [this.#timers, this.#since, this.#unanswered]) each.delete(id);
  }

  async #write(tab: Tab): Promise<Written> {
    const document = tab.history.present;
    if (keepingOf(tab.id).state !== "away") setKeeping(tab.id, "saving");
    const begun = performance.now();
    const text = this.#tools.textOf(document);
    this.#cost = performance.now() - begun;
    const result = await this.#send(tab, text);
    await this.#settle(tab, document, text, result);
    if (tabOf(tab.id) === null) this.forget(tab.id);
    return result;
  }

  async #send(tab: Tab, text: string): Promise<Written> {
    const path = placeOf(tab);
    const unanswered = this.#unanswered.get(tab.id) ?? [];
    this.#unanswered.set(tab.id, [...unanswered.filter((each) => each !== text), text].slice(-MOST_UNANSWERED));
    const result = await this.#tools.place.write(path, text, { over: versionOf(tab) });
    if (result.kind !== "conflict") return result;
    // Is what stands there our own? A request whose answer got lost, or the same words from another window.
    const theirs = await this.#tools.place.read(path);
    if (theirs === "away") return { kind: "away" };
    if (theirs === null) return this.#tools.place.write(path, text, { over: null });
    if (theirs.text === text) return { kind: "written", etag: theirs.etag };
    if (!unanswered.includes(theirs.text)) return result;
    return this.#tools.place.write(path, text, { over: theirs.etag });
  }

  async #settle(tab: Tab, document: Document, text: string, result: Written): Promise<void> {
    const path = placeOf(tab);
    if (result.kind === "written" || result.kind === "conflict") this.#unanswered.delete(tab.id);
    if (result.kind === "written") {
      updateTab(tab.id, (each) => ({ ...each, saved: document, kept: { path, etag: result.etag } }));
      setKeeping(tab.id, "saved");
      this.#tools.tell(path, result.etag);
      await this.#tools.drafts.remove(path).catch(() => undefined);
      return;
    }
    await this.#keepHere(tab, text);
    if (result.kind === "conflict") setKeeping(tab.id, "changed");
    if (result.kind === "refused") setKeeping(tab.id, "failed", result.message);
    if (result.kind === "away") {
      setKeeping(tab.id, "away");
      this.#after(tab.id, TRY_AGAIN);
    }
  }

  async #keepHere(tab: Tab, text: string): Promise<void> {
    const sent = this.#unanswered.get(tab.id) ?? [];
    const draft = { path: placeOf(tab), etag: tab.kept?.etag ?? null, name: tab.name, text, sent };
    await this.#tools.drafts.put(draft).catch(() => undefined);
  }

  #after(id: TabId, wait: number): void {
    clearTimeout(this.#timers.get(id));
    if (tabOf(id) === null) return;
    this.#timers.set(
      id,
      setTimeout(() => void this.save(id), wait),
    );
  }
}

/** What may be overwritten: nothing for a new workflow; for a server that names no versions, whatever it has. */
function versionOf(tab: Tab): string | null {
  return tab.kept === null ? null : (tab.kept.etag ?? "any");
}

function tabOf(id: TabId): Tab | null {
  return useWorkbench.getState().tabs.find((each) => each.id === id) ?? null;
}
