/**
 * A workflow was written elsewhere while this window has changes of its own: what a person can do about it. None of it
 * loses anything: what is replaced can be had back by undo, or stands in another tab.
 */

import { withId } from "@/graph/history";
import { t } from "@/texts/index";

import { forgetDraft, theKeeper } from "./keeping";
import { freeName } from "./keeping_names";
import { takeOver } from "./keeping_peers";
import { keepingOf, setKeeping } from "./keeping_writer";
import { openNew, readWorkflow } from "./opening";
import { toast } from "./toasts";
import { type Tab, type TabId, updateTab, useWorkbench } from "./workbench";

/** Opens what stands on the server in a tab of its own, to be looked at; the choice stays open. */
export async function lookAtTheirs(id: TabId): Promise<void> {
  const tab = changedTab(id);
  if (tab?.kept == null) return;
  const file = await theKeeper().place.read(tab.kept.path);
  const read = file === null || file === "away" ? null : readWorkflow(file.text, tab.name);
  if (read === null || !read.ok) return toast("error", t("keeping.cannot_read", { name: tab.name }));
  const document = { ...read.value.document, id: crypto.randomUUID() };
  openNew({ ...read.value, document }, t("keeping.theirs", { name: tab.name }));
}

/** What is here becomes a workflow of its own, without a name yet; theirs stays as it is. */
export async function keepMineAsCopy(id: TabId): Promise<void> {
  const tab = changedTab(id);
  if (tab === null) return;
  const names = new Set(useWorkbench.getState().tabs.map((each) => each.name));
  const name = freeName(t("keeping.mine", { name: tab.name }), names);
  setKeeping(id, "saved");
  const history = withId(tab.history, crypto.randomUUID());
  updateTab(id, (each) => ({ ...each, name, kept: null, saved: null, history }));
  if (tab.kept !== null) await forgetDraft(tab.kept.path);
}

/** What is here replaces theirs. */
export async function overwriteTheirs(id: TabId): Promise<void> {
  const tab = changedTab(id);
  if (tab?.kept == null) return;
  const { path } = tab.kept;
  const file = await theKeeper().place.read(path);
  if (file === "away") return toast("warning", t("keeping.away"));
  setKeeping(id, "saved");
  updateTab(id, (each) => ({ ...each, saved: null, kept: file === null ? null : { path, etag: file.etag } }));
  if (file === null) await theKeeper().writer.keepAt(id, path);
  else await theKeeper().writer.save(id);
}

/** Theirs replaces what is here, which undo brings back. */
export async function takeTheirs(id: TabId): Promise<void> {
  const tab = changedTab(id);
  if (tab?.kept == null) return;
  if (!(await takeOver(id, tab.kept.path, theKeeper().place))) {
    return toast("error", t("keeping.cannot_read", { name: tab.name }));
  }
  setKeeping(id, "saved");
  await forgetDraft(tab.kept.path);
}

function changedTab(id: TabId): Tab | null {
  if (keepingOf(id).state !== "changed") return null;
  return useWorkbench.getState().tabs.find((each) => each.id === id) ?? null;
}
