/** Runs the shown workflow by itself a moment after each change. For one sitting: nobody wants it on by surprise. */

import { create } from "zustand";

import type { History } from "@/graph/history";
import { useProblems } from "@/state/problems";
import { useRun } from "@/state/run";
import { run } from "@/state/running";
import { currentTab, type TabId, useWorkbench } from "@/state/workbench";

export const useRunOnChange = create<{ readonly isOn: boolean }>()(() => ({ isOn: false }));

const PAUSE = 700;
/** Edits that change no picture. */
const SILENT =
  /^edit\.(move|after_run|select|collapse|title|color|resize|group|align|arrange|distribute|changed_elsewhere)/;

export function switchRunOnChange(): void {
  useRunOnChange.setState(({ isOn }) => ({ isOn: !isOn }));
}

/** Begins to watch. Returns: what ends it. */
export function watchChanges(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Runs the tab in a moment; while its run before is waiting, one more that shows the newest state is enough. */
  const plan = (tab: TabId): void => {
    clearTimeout(timer);
    timer = setTimeout(() => (isWaiting(tab) ? plan(tab) : runIfWanted(tab)), PAUSE);
  };
  const endChanges = useWorkbench.subscribe((state, before) => {
    const [tab, was] = [currentTab(state), currentTab(before)];
    if (!useRunOnChange.getState().isOn || tab === null || tab.id !== was?.id) return;
    if (tab.history.present === was.history.present || SILENT.test(changeOf(tab.history, was.history))) return;
    plan(tab.id);
  });
  const endSwitch = useRunOnChange.subscribe(({ isOn }) => {
    if (!isOn) clearTimeout(timer);
  });
  return () => {
    clearTimeout(timer);
    endChanges();
    endSwitch();
  };
}

/** The name of the edit that was made, undone or done again. */
function changeOf(history: History, before: History): string {
  const [next] = history.future;
  const step = next?.document === before.present ? next : history.past.at(-1);
  return step?.edit ?? "";
}

function isWaiting(tab: TabId): boolean {
  const document = shown(tab);
  return useRun.getState().active.some((each) => each.documentId === document && each.status === "pending");
}

function runIfWanted(tab: TabId): void {
  const document = shown(tab);
  const problems = document === null ? undefined : useProblems.getState().problems.get(document);
  if (document !== null && (problems ?? []).every((each) => each.from !== "server")) void run({ times: 1 });
}

/** The id of the tab's document while it is the one that is shown; nobody wants others to run by themselves. */
function shown(tab: TabId): string | null {
  const current = currentTab(useWorkbench.getState());
  return current?.id === tab ? current.history.present.id : null;
}
