/**
 * Other windows of this browser with the same workflow: what one writes, the others take over at once, as an edit that
 * can be undone, unless they have changes of their own. (Then the server's answer to their next write tells them, as it
 * tells windows of other browsers.)
 */

import type { Place } from "./keeping_place";
import { readWorkflow } from "./opening";
import { replaceDocument, type TabId, updateTab, useWorkbench } from "./workbench";

interface Message {
  readonly path: string;
  readonly etag: string | null;
}

const CHANNEL = "latentwire.kept";

export function tellPeers(path: string, etag: string | null): void {
  if (typeof BroadcastChannel === "undefined") return;
  const channel = new BroadcastChannel(CHANNEL);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has no such argument
  channel.postMessage({ path, etag } satisfies Message);
  channel.close();
}

export function listenToPeers(place: Place): () => void {
  if (typeof BroadcastChannel === "undefined") return () => undefined;
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener("message", (event: MessageEvent<unknown>) => {
    if (isMessage(event.data)) void follow(event.data, place);
  });
  return () => channel.close();
}

async function follow({ path, etag }: Message, place: Place): Promise<void> {
  const tab = useWorkbench.getState().tabs.find((each) => each.kept?.path === path);
  if (tab === undefined || tab.kept?.etag === etag || tab.history.present !== tab.saved) return;
  await takeOver(tab.id, path, place, true);
}

/** Replaces a tab's document by the one that stands on the server. Returns: whether it could. */
export async function takeOver(id: TabId, path: string, place: Place, onlyIfClean = false): Promise<boolean> {
  const file = await place.read(path);
  if (file === null || file === "away") return false;
  const read = readWorkflow(file.text, path);
  if (!read.ok) return false;
  updateTab(id, (tab) => {
    if (onlyIfClean && tab.history.present !== tab.saved) return tab;
    const document = { ...read.value.document, id: tab.history.present.id };
    const replaced = replaceDocument(tab, document, "edit.changed_elsewhere");
    return { ...replaced, saved: replaced.history.present, kept: { path, etag: file.etag } };
  });
  return true;
}

function isMessage(data: unknown): data is Message {
  return typeof data === "object" && data !== null && "path" in data && "etag" in data && typeof data.path === "string";
}
