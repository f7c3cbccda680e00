/** Jobs that have ended, the newest first. */

import { forget as forgetJobs, jobs as askJobs } from "@/api/client";
import { asFailure } from "@/api/failure";

import { readJob } from "./jobs";
import { Pager } from "./pager";
import type { Job } from "./run";
import { sentenceOf } from "./run_problems";
import { toast } from "./toasts";

const PAGE = 50;
const ENDED = ["completed", "failed", "cancelled"] as const;

const pager = new Pager<Job>({
  ask: async (next, known) => {
    // What is known has grown in front, or shrunk, as the server's list has: its length is where the next page begins.
    const offset = next === null ? 0 : known;
    const page = await askJobs({ statuses: ENDED, limit: PAGE, offset });
    const end = offset + page.jobs.length;
    return { items: page.jobs.map(readJob), next: end < page.pagination.total ? String(end) : null };
  },
  keyOf: (job) => job.id,
  compare: (a, b) => b.created - a.created,
});

export const { store: useHistory, loadMore, refresh } = pager;

/** Removes jobs; null: all. Their pictures stay. */
export async function forget(ids: readonly string[] | null): Promise<void> {
  try {
    await forgetJobs(ids);
    pager.remove((job) => ids?.includes(job.id) ?? true);
  } catch (error) {
    toast("error", sentenceOf(asFailure(error)), { detail: asFailure(error).message });
  }
  await refresh();
}
