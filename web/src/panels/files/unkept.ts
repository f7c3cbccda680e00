/** Says once, in words, that a workflow cannot be saved and why; a file on the person's own disk is the way out. */

import { fileText } from "@/state/keeping";
import { type Keeping, useKeeping } from "@/state/keeping_writer";
import { toast } from "@/state/toasts";
import { type TabId, useWorkbench } from "@/state/workbench";
import { t } from "@/texts/index";

import { download, fileName } from "./download";

/** Returns: what ends it. */
export function tellUnkept(): () => void {
  let told = new Map<TabId, string>();
  return useKeeping.subscribe(({ keeping }) => {
    const known = told;
    told = new Map([...keeping].flatMap(([id, each]) => nowTold(id, each, known.get(id))));
  });
}

/** What a tab was told of, until it is saved: trying again is no news. */
function nowTold(id: TabId, { state, message }: Keeping, known: string | undefined): [TabId, string][] {
  if (state === "failed" && message !== known) tell(id, message);
  if (state === "failed") return [[id, message]];
  return state === "saved" || known === undefined ? [] : [[id, known]];
}

function tell(id: TabId, message: string): void {
  const tab = useWorkbench.getState().tabs.find((each) => each.id === id);
  if (tab === undefined) return;
  const run = (): void => download(fileText(tabNow(id) ?? tab.history.present), fileName(tab.name, "json"), JSON_TYPE);
  toast("error", t("keeping.failed", { name: tab.name }), {
    detail: message,
    action: { label: t("keeping.export"), run },
  });
}

const JSON_TYPE = "application/json";

/** The workflow as it is when the button is pressed; null when its tab was closed. */
function tabNow(id: TabId) {
  return useWorkbench.getState().tabs.find((each) => each.id === id)?.history.present ?? null;
}
