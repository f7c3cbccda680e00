/** The person's workflows on the server: their list, and giving, changing and taking away names. */

import { done, type Outcome, type Reason, reason, refused } from "@/graph/reason";
import { t } from "@/texts/index";

import { forgetDraft, theKeeper } from "./keeping";
import { checkName, freeName, isDraft, nameOf, pathOf, placeOf } from "./keeping_names";
import { openAt } from "./keeping_opening";
import { DRAFTS, type Entry, WORKFLOWS, type Written } from "./keeping_place";
import { busyWith, inWords, showOpen, tellNotes } from "./opening";
import { toast } from "./toasts";
import { type TabId, updateTab, useWorkbench } from "./workbench";

/** The kept workflows, the newest first. */
export async function listWorkflows(): Promise<readonly Entry[]> {
  const entries = await theKeeper().place.list(WORKFLOWS);
  const named = entries.filter((each) => each.path.endsWith(".json") && checkName(nameOf(each.path)) === null);
  return named.toSorted((one, other) => other.modified - one.modified);
}

/** The kept workflows without a name that are open in no tab here, the newest first: their tabs are gone. */
export async function listDrafts(): Promise<readonly Entry[]> {
  const entries = await theKeeper().place.list(DRAFTS);
  const open = new Set(useWorkbench.getState().tabs.map(placeOf));
  const closed = entries.filter((each) => each.path.endsWith(".json") && !open.has(each.path));
  return closed.toSorted((one, other) => other.modified - one.modified);
}

export async function openKept(path: string, size = 0): Promise<TabId | null> {
  const shown = showOpen(path);
  if (shown !== null) return shown.id;
  const isUnnamed = path.startsWith(DRAFTS);
  const names = useWorkbench.getState().tabs.map((each) => each.name);
  const name = isUnnamed ? freeName(t("tabs.untitled"), new Set(names)) : nameOf(path);
  return busyWith(name, size, async () => {
    const file = await theKeeper().place.read(path);
    if (file === null || file === "away") return complain(name, missing(file));
    const opened = await openAt({ path, name, isTouched: isUnnamed }, file, theKeeper().tools);
    if (!opened.ok) return complain(name, opened.reason);
    tellNotes(opened.value.notes, name);
    return opened.value.id;
  });
}

/** Gives an unnamed workflow its name, or a named one another. Returns: null, or why it cannot be called so. */
export async function giveName(id: TabId, wanted: string): Promise<Reason | null> {
  const name = wanted.trim();
  const tab = useWorkbench.getState().tabs.find((each) => each.id === id);
  const why = checkName(name);
  if (tab === undefined || why !== null) return why;
  const path = pathOf(name);
  if (tab.kept?.path === path) return null;
  const { writer, place, tools } = theKeeper();
  const old = placeOf(tab);
  if (isDraft(tab)) {
    const result = await writer.keepAt(id, path);
    if (result.kind !== "written") return whyNot(result, name);
    await Promise.allSettled([place.remove(old), tools.drafts.remove(old)]);
  } else {
    const saved = await writer.save(id);
    if (saved.kind === "conflict") return reason("reason.changed_elsewhere");
    if (saved.kind !== "written") return whyNot(saved, name);
    const moved = await move(old, path);
    if (!moved.ok) return moved.reason;
    updateTab(id, (each) => ({ ...each, kept: { path, etag: moved.value } }));
  }
  updateTab(id, (each) => ({ ...each, name }));
  return null;
}

/** Keeps the workflow of a tab under another name too: the tab goes on with the copy, the old file stays as it was. */
export async function saveCopy(id: TabId, wanted: string): Promise<Reason | null> {
  const why = checkName(wanted);
  if (why !== null) return why;
  const { writer } = theKeeper();
  await writer.save(id);
  const before = useWorkbench.getState().tabs.find((each) => each.id === id);
  const result = await writer.keepAt(id, pathOf(wanted));
  if (result.kind !== "written") return whyNot(result, wanted.trim());
  if (before !== undefined) await forgetDraft(placeOf(before));
  updateTab(id, (each) => ({ ...each, name: wanted.trim() }));
  return null;
}

/** Gives a kept workflow another name, open or not. */
export async function renameKept(path: string, wanted: string): Promise<Reason | null> {
  const tab = useWorkbench.getState().tabs.find((each) => each.kept?.path === path);
  if (tab !== undefined) return giveName(tab.id, wanted);
  const why = checkName(wanted);
  if (why !== null || pathOf(wanted) === path) return why;
  const { place, tools } = theKeeper();
  const draft = await tools.drafts.get(path).catch(() => null);
  const file = draft === null ? null : await place.read(path);
  const moved = await move(path, pathOf(wanted));
  if (!moved.ok) return moved.reason;
  if (draft === null) return null;
  // What was not written goes along; it is no older than its file when it was not before.
  const isNewest = file !== null && file !== "away" && file.etag === draft.etag;
  const etag = isNewest ? moved.value : draft.etag;
  await tools.drafts.put({ ...draft, path: pathOf(wanted), etag }).catch(() => undefined);
  await forgetDraft(path);
  return null;
}

/** Writes a copy beside it. Returns: why it could not. */
export async function duplicateKept(path: string): Promise<Reason | null> {
  const { place } = theKeeper();
  const file = await place.read(path);
  if (file === null || file === "away") return missing(file);
  const taken = new Set((await place.list(WORKFLOWS)).map((each) => nameOf(each.path)));
  const name = freeName(t("keeping.copy", { name: nameOf(path) }), taken);
  const result = await place.write(pathOf(name), file.text, { over: null });
  return result.kind === "written" ? null : whyNot(result, name);
}

/** Takes a workflow away. An open tab of it stays, as a workflow without a name. */
export async function removeKept(path: string): Promise<boolean> {
  const isGone = await theKeeper().place.remove(path);
  if (isGone) await forgetDraft(path);
  const tab = useWorkbench.getState().tabs.find((each) => each.kept?.path === path);
  if (isGone && tab !== undefined) updateTab(tab.id, (each) => ({ ...each, kept: null, saved: null }));
  return isGone;
}

async function move(from: string, to: string): Promise<Outcome<string | null>> {
  const { place } = theKeeper();
  const moved = await place.move(from, to);
  if (moved.kind !== "written") return refused(whyNot(moved, nameOf(to)));
  if (moved.etag !== null) return done(moved.etag);
  const file = await place.read(to);
  return done(file === null || file === "away" ? null : file.etag);
}

function whyNot(result: Exclude<Written, { kind: "written" }>, name: string): Reason {
  if (result.kind === "conflict") return reason("reason.name_taken", { name });
  if (result.kind === "away") return reason("reason.server_away");
  return reason("reason.server_refused", { message: result.message });
}

function missing(file: null | "away"): Reason {
  return file === "away" ? reason("reason.server_away") : reason("reason.not_on_server");
}

function complain(name: string, why: Reason): null {
  toast("error", t("opening.failed", { name }), { detail: inWords(why) });
  return null;
}
