/** Runs the shown workflow by itself a moment after each change. For one sitting: nobody wants it on by surprise. */

import { create } from "zustand";

import { useProblems } from "@/state/problems";
import { useRun } from "@/state/run";
import { run } from "@/state/running";
import { currentTab, useWorkbench } from "@/state/workbench";

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
  const end = useWorkbench.subscribe((state, before) => {
    const [tab, was] = [currentTab(state), currentTab(before)];
    if (!useRunOnChange.getState().isOn || tab === null || tab.id !== was?.id) return;
    const edit = tab.history.past.at(-1)?.edit ?? "";
    if (tab.history.present === was.history.present || SILENT.test(edit)) return;
    clearTimeout(timer);
    timer = setTimeout(runUnlessBusy, PAUSE);
  });
  return () => {
    clearTimeout(timer);
    end();
  };
}

/** While the run before is waiting, one more that shows the newest state is enough. */
function runUnlessBusy(): void {
  const tab = currentTab(useWorkbench.getState());
  if (tab === null) return;
  const id = tab.history.present.id;
  const waits = useRun.getState().active.some((each) => each.documentId === id && each.status === "pending");
  if (waits) setTimeout(runUnlessBusy, PAUSE);
  else if ((useProblems.getState().problems.get(id) ?? []).every((each) => each.from !== "server"))
    void run({ times: 1 });
}
