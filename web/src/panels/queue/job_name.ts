/** What a job is called: its workflow's name while that is open, else its picture's, else the beginning of its id. */

import { useWorkbench } from "@/state/workbench";
import type { Job } from "@/state/run";
import { t } from "@/texts/index";

export function useJobName(job: Job): string {
  const tab = useWorkbench((state) => state.tabs.find((each) => each.history.present.id === job.documentId)?.name);
  return tab ?? job.preview?.filename ?? t("queue.job", { id: job.id.slice(0, 8) });
}
