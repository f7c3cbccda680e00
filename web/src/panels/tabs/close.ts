/**
 * Closing a tab: what has a name is written and closed, and asked about when it cannot be written; what has none is
 * asked about, if there is anything to lose.
 */

import { closeKept, discard } from "@/state/keeping";
import { isDraft } from "@/state/keeping_names";
import { isTouched, keepingOf } from "@/state/keeping_writer";
import { type Tab, type TabId, useWorkbench } from "@/state/workbench";

import { ask } from "../layout";

export function askToClose(id: TabId): void {
  const tab = useWorkbench.getState().tabs.find((each) => each.id === id);
  if (tab === undefined) return;
  if (isStuck(tab)) ask({ kind: "close", tab: id });
  else if (!isDraft(tab)) void closeKept(id);
  else if (isTouched(tab)) ask({ kind: "close", tab: id });
  else void discard(id);
}

/** Whether a workflow that has a name could not be written. */
function isStuck(tab: Tab): boolean {
  return !isDraft(tab) && ["changed", "away", "failed"].includes(keepingOf(tab.id).state);
}
