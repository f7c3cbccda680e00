/**
 * Closing a tab: what has a name is written and closed, and asked about when it cannot be written; what has none is
 * asked about, if there is anything to lose.
 */

import { closeKept, discard } from "@/state/keeping";
import { isDraft } from "@/state/keeping_names";
import { isTouched, keepingOf } from "@/state/keeping_writer";
import { type Tab, type TabId, useWorkbench } from "@/state/workbench";

import { ask, useLayout } from "../layout";

export function askToClose(id: TabId): void {
  askToCloseAll([id]);
}

/** Closes what nothing is lost of at once, and asks about the others one after the other. */
export function askToCloseAll(ids: readonly TabId[]): void {
  const tabs = useWorkbench.getState().tabs.filter((each) => ids.includes(each.id));
  for (const tab of tabs) {
    if (isToAsk(tab)) askAbout(tab.id);
    else if (isDraft(tab)) void discard(tab.id);
    else void closeKept(tab.id).then((isClosed) => !isClosed && askAbout(tab.id));
  }
}

/** Asks now, or when what is asked now is answered. */
function askAbout(id: TabId): void {
  const { question } = useLayout.getState();
  if (question?.kind === "close") ask({ ...question, others: [...question.others, id] });
  else if (question?.kind === "save") ask({ ...question, thenClose: [...question.thenClose, id] });
  else ask({ kind: "close", tab: id, others: [] });
}

function isToAsk(tab: Tab): boolean {
  return isStuck(tab) || (isDraft(tab) && isTouched(tab));
}

/** Whether it could not be written; what has no name and nothing in it need not be. */
function isStuck(tab: Tab): boolean {
  const { state } = keepingOf(tab.id);
  return state === "changed" || (!isDraft(tab) && (state === "away" || state === "failed"));
}
