/** The jobs that run or wait, in `useRun.active`: asked for when something may have changed, but not too often. */

import { jobs } from "@/api/client";

import { inOrder, readJob } from "./jobs";
import { type Job, useRun } from "./run";

/** Milliseconds between two questions. */
const PAUSE = 500;
const MOST = 1000;

let isAsking = false;
let isWanted = false;
/** Rises with every change made here, so that an answer from before it is known as old. */
let version = 0;
let onGone: (ids: readonly string[]) => void = () => undefined;

/** Who is told which jobs neither run nor wait any more. */
export function whenGone(tell: (ids: readonly string[]) => void): void {
  onGone = tell;
}

/** Asks the server what runs and waits; again in a moment when it is being asked already. */
export async function refreshActive(): Promise<void> {
  isWanted = true;
  if (isAsking) return;
  isAsking = true;
  try {
    while (isWanted) {
      isWanted = false;
      await once();
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  } finally {
    isAsking = false;
  }
}

/** Changes the list at once, ahead of the server's answer. */
export function changeActive(change: (active: readonly Job[]) => readonly Job[]): void {
  version += 1;
  useRun.setState(({ active }) => ({ active: inOrder(change(active)) }));
}

async function once(): Promise<void> {
  const asked = version;
  const page = await jobs({ statuses: ["in_progress", "pending"], order: "asc", limit: MOST }).catch(() => null);
  if (page === null) return; // offline: the socket says so, and asks again when it is back
  if (asked !== version) {
    isWanted = true;
    return;
  }
  const active = inOrder(page.jobs.map(readJob));
  const there = new Set(active.map((each) => each.id));
  const gone = useRun.getState().active.filter((each) => !there.has(each.id));
  useRun.setState({ active });
  if (gone.length > 0) onGone(gone.map((each) => each.id));
}
