/** Workflows as files: new, open, save, export. */

import { stringify } from "@/format/json";
import { toPrompt } from "@/format/prompt";
import { toPython } from "@/format/python_script";
import type { Command } from "@/state/commands";
import { fileText } from "@/state/keeping";
import { isDraft } from "@/state/keeping_names";
import { keepingOf } from "@/state/keeping_writer";
import { theKeeper } from "@/state/keeping";
import { nodeTypes } from "@/state/node_types";
import { inWords, openEmpty, openFiles, openNew } from "@/state/opening";
import { toast } from "@/state/toasts";
import { activeTab, type Tab } from "@/state/workbench";
import { t } from "@/texts/index";

import { download, fileName } from "../files/download";
import { pickFiles } from "../files/pick";
import { ask } from "../layout";
import { hasTab } from "./conditions";

export const FILE_COMMANDS: readonly Command[] = [
  { id: "file.new", section: "file", keys: ["Alt+KeyN"], run: () => void openEmpty() },
  { id: "file.open", section: "file", keys: ["Mod+KeyO"], run: pick },
  { id: "file.save", section: "file", keys: ["Mod+KeyS"], run: save, isEnabled: hasTab },
  { id: "file.save_as", section: "file", keys: [], run: saveAs, isEnabled: hasTab },
  { id: "file.duplicate", section: "file", keys: [], run: duplicate, isEnabled: hasTab },
  { id: "file.export", section: "file", keys: ["Mod+Shift+KeyS"], run: exportEditor, isEnabled: hasTab },
  { id: "file.export_api", section: "file", keys: [], run: exportApi, isEnabled: hasTab },
  { id: "file.export_python", section: "file", keys: [], run: exportPython, isEnabled: hasTab },
  { id: "file.copy_api", section: "file", keys: [], run: copyApi, isEnabled: hasTab },
];

async function pick(): Promise<void> {
  await openFiles(await pickFiles(".json,image/png,image/webp,image/jpeg"));
}

/** What has a name is written now; what has none is given one. */
async function save(): Promise<void> {
  const tab = activeTab();
  if (tab === null) return;
  if (isDraft(tab)) return saveAs();
  if (keepingOf(tab.id).state === "changed") return toast("warning", t("changed.title", { name: tab.name }));
  const result = await theKeeper().writer.save(tab.id);
  if (result.kind === "written") toast("success", t("keeping.saved", { name: tab.name }));
  if (result.kind === "away") toast("warning", t("keeping.away"));
}

function saveAs(): void {
  const tab = activeTab();
  if (tab !== null) ask({ kind: "save", tab: tab.id, thenClose: [] });
}

function duplicate(): void {
  const tab = activeTab();
  if (tab === null) return;
  const document = { ...tab.history.present, id: crypto.randomUUID() };
  openNew({ document, notes: [] }, t("keeping.copy", { name: tab.name }));
}

function exportEditor(): void {
  const tab = activeTab();
  if (tab !== null) download(fileText(tab.history.present), fileName(tab.name, "json"), "application/json");
}

function exportApi(): void {
  const api = apiText();
  if (api !== null) download(api.text, fileName(`${api.tab.name}.api`, "json"), "application/json");
}

async function copyApi(): Promise<void> {
  const api = apiText();
  if (api === null) return;
  try {
    await navigator.clipboard.writeText(api.text);
    toast("success", t("export.copied"));
  } catch {
    toast("error", t("export.not_copied"));
  }
}

function exportPython(): void {
  const tab = activeTab();
  if (tab === null) return;
  const script = toPython(tab.history.present, nodeTypes(), tab.name);
  download(script, fileName(tab.name, "py"), "text/x-python");
}

/** The prompt of the active tab as text; null, and a word why, when it makes none. */
function apiText(): { readonly tab: Tab; readonly text: string } | null {
  const tab = activeTab();
  if (tab === null) return null;
  const prompt = toPrompt(tab.history.present, nodeTypes());
  if (prompt.ok) return { tab, text: stringify(prompt.value.prompt, 2) };
  toast("error", t("export.failed", { name: tab.name }), { detail: inWords(prompt.reason) });
  return null;
}
