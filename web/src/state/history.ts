/** Jobs that have ended, the newest first: page by page, and fresh while something looks at them. */

import { create } from "zustand";

import { forget as forgetJobs, jobs as askJobs } from "@/api/client";
import { asFailure } from "@/api/failure";

import { readJob } from "./jobs";
import { type Job, useRun } from "./run";
import { sentenceOf } from "./run_problems";
import { toast } from "./toasts";

export interface History {
  readonly jobs: readonly Job[];
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  /** Why the last page could not be had, in words. */
  readonly error: string | null;
}

const PAGE = 50;
const ENDED = ["completed", "failed", "cancelled"] as const;

export const useHistory = create<History>()(() => ({ jobs: [], hasMore: true, isLoading: false, error: null }));

/** Whether anybody has asked for the history. */
let isWatched = false;
/** Something ended while a page was on its way. */
let isStale = false;

/** Asks for the page after the last one. */
export async function loadMore(): Promise<void> {
  const { isLoading, hasMore, jobs } = useHistory.getState();
  if (!isLoading && hasMore) await loadPage(jobs.length);
}

/** Asks for the newest again. */
export async function refresh(): Promise<void> {
  if (useHistory.getState().isLoading) isStale = true;
  else await loadPage(0);
}

/** Removes jobs; null: all. Their pictures stay. */
export async function forget(ids: readonly string[] | null): Promise<void> {
  try {
    await forgetJobs(ids);
    useHistory.setState(({ jobs }) => ({ jobs: ids === null ? [] : jobs.filter((each) => !ids.includes(each.id)) }));
  } catch (error) {
    toast("error", sentenceOf(asFailure(error)), { detail: asFailure(error).message });
  }
  await refresh();
}

async function loadPage(offset: number): Promise<void> {
  isWatched = true;
  useHistory.setState({ isLoading: true });
  try {
    const page = await askJobs({ statuses: ENDED, limit: PAGE, offset });
    useHistory.setState(({ jobs }) => {
      const fresh = page.jobs.map(readJob);
      // A first page that joins what is there comes before it; where more ended than a page has, all begins anew.
      const joins = offset > 0 || fresh.some((each) => jobs.some(({ id }) => id === each.id));
      const merged = joins ? merge(jobs, fresh) : fresh;
      return { jobs: merged, hasMore: merged.length < page.pagination.total, isLoading: false, error: null };
    });
  } catch (error) {
    useHistory.setState({ isLoading: false, error: sentenceOf(asFailure(error)) });
  }
  if (isStale) {
    isStale = false;
    await loadPage(0);
  }
}

/** All jobs once, the fresher word about each, the newest first. */
function merge(jobs: readonly Job[], fresh: readonly Job[]): Job[] {
  const byId = new Map([...jobs, ...fresh].map((each) => [each.id, each]));
  return [...byId.values()].toSorted((a, b) => b.created - a.created);
}

/** When a job ends, whoever has asked for the history gets it fresh. */
useRun.subscribe((state, before) => {
  if (isWatched && state.ended !== before.ended) void refresh();
});
