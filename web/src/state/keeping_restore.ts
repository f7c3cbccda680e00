/** Opens again what was open last time; the first time ever, the default template. */

import { t } from "@/texts/index";

import { openAt } from "./keeping_opening";
import { type OpenTab, recall } from "./keeping_tabs";
import type { WriterTools } from "./keeping_writer";
import { useNodeTypes } from "./node_types";
import { inWords, listTemplates, openTemplate } from "./opening";
import { inLanguage } from "./template_words";
import { toast } from "./toasts";
import { showTab, type TabId, useWorkbench } from "./workbench";

/** Workflows read before the node types are known are drawn twice; longer than this nobody waits. */
const PATIENCE = 4_000;
const TRY_AGAIN = 2_000;
const DEFAULT_TEMPLATE = "text_to_image";

export async function restore(tools: WriterTools): Promise<void> {
  await typesKnown();
  const known = recall([sessionStorage, localStorage]);
  if (known === null) return openDefault();
  const places = [];
  for (const tab of known.tabs) places.push(await openAgain(tab, tools));
  const active = places[known.active] ?? null;
  // Whoever opened something meanwhile goes on looking at it.
  const isWatched = useWorkbench.getState().active !== places.findLast((each) => each !== null);
  if (active !== null && !isWatched) showTab(active);
}

async function openDefault(): Promise<void> {
  const templates = await listTemplates();
  const wanted = templates.find((each) => each.name === DEFAULT_TEMPLATE) ?? templates[0];
  if (wanted !== undefined && useWorkbench.getState().tabs.length === 0) await openTemplate(inLanguage(wanted));
}

/** Returns: the tab, or null when there is nothing to open any more. */
async function openAgain(open: OpenTab, tools: WriterTools): Promise<TabId | null> {
  const file = await patiently(() => tools.place.read(open.path));
  const opened = await openAt(open, file, tools);
  if (opened.ok) return opened.value.id;
  if (opened.reason.code === "reason.not_on_server") toast("warning", t("keeping.gone", { name: open.name }));
  else toast("error", t("opening.failed", { name: open.name }), { detail: inWords(opened.reason) });
  return null;
}

async function patiently<T>(read: () => Promise<T | "away">): Promise<T> {
  for (;;) {
    const answer = await read();
    if (answer !== "away") return answer;
    await new Promise((resolve) => {
      setTimeout(resolve, TRY_AGAIN);
    });
  }
}

function typesKnown(): Promise<void> {
  return new Promise((resolve) => {
    if (useNodeTypes.getState().status !== "waiting") return resolve();
    const end = useNodeTypes.subscribe((state) => {
      if (state.status !== "waiting") finish();
    });
    const timer = setTimeout(() => finish(), PATIENCE);
    const finish = (): void => {
      clearTimeout(timer);
      end();
      resolve();
    };
  });
}
