/**
 * What a job is called: its workflow's name while that is open, else the title or the text that it was made from, where
 * that is known, else its picture's name or the beginning of its id.
 */

import { type JobFacts, useJobFacts } from "@/state/job_facts";
import { useWorkbench } from "@/state/workbench";
import type { Job } from "@/state/run";
import { t } from "@/texts/index";

export function useJobName(job: Job): string {
  const tab = useWorkbench((state) => state.tabs.find((each) => each.history.present.id === job.documentId)?.name);
  const facts = useFactsOf(job);
  return (
    tab ?? facts?.title ?? shortened(facts?.text) ?? job.preview?.filename ?? t("queue.job", { id: job.id.slice(0, 8) })
  );
}

/** null: not asked for, or not known. */
export function useFactsOf(job: Job): JobFacts | null {
  return useJobFacts((state) => state.facts.get(job.id) ?? null);
}

/** Names stand on one line, and in the names of buttons. */
const MOST = 60;

function shortened(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > MOST ? `${line.slice(0, MOST).trimEnd()}…` : line;
}
