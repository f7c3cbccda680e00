/** The jobs that run or wait, in `useRun.active`: asked for when something may have changed, but not too often. */

import { jobs } from "@/api/client";

import { inOrder, readJob } from "./jobs";
import { type Job, useRun } from "./run";

/** Milliseconds between two questions. */
const PAUSE = 500;
/** Jobs in one answer of the server; what waits behind them is only counted. */
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
  const found = await ask().catch(() => null);
  if (found === null) return; // offline: the socket says so, and asks again when it is back
  if (asked !== version) {
    isWanted = true;
    return;
  }
  const { active, more } = found;
  const gone = missing(useRun.getState().active, active, more > 0);
  useRun.setState({ active, more });
  if (gone.length > 0) onGone(gone);
}

/** What runs, and what will run next. */
async function ask(): Promise<{ readonly active: readonly Job[]; readonly more: number }> {
  const order = { sortBy: "priority", order: "asc", limit: MOST } as const;
  const page = await jobs({ ...order, statuses: ["in_progress", "pending"] });
  const { total } = page.pagination;
  // What was put in front of the job that runs may fill the page alone.
  const running = total > page.jobs.length ? (await jobs({ ...order, statuses: ["in_progress"] })).jobs : [];
  const listed = new Map([...page.jobs, ...running].map((each) => [each.id, each]));
  return { active: inOrder([...listed.values()].map(readJob)), more: Math.max(0, total - listed.size) };
}

/** The jobs that are not there any more. Where not all are listed, others may just have come before them. */
function missing(before: readonly Job[], now: readonly Job[], isCut: boolean): readonly string[] {
  const there = new Set(now.map((each) => each.id));
  const last = isCut ? (now.at(-1)?.number ?? -Infinity) : Infinity;
  const gone = before.filter((each) => !there.has(each.id) && (each.status === "in_progress" || each.number <= last));
  return gone.map((each) => each.id);
}
