/** How far a running job is, from what its nodes say. No DOM. */

import type { NodeRun } from "@/state/run";

interface JobProgress {
  /** 0 to 1 of the node that runs now; null when none says how far it is. */
  readonly part: number | null;
  readonly done: number;
  readonly total: number;
  /** An address of the newest preview. */
  readonly preview: string | null;
}

export const NO_PROGRESS: JobProgress = { part: null, done: 0, total: 0, preview: null };

export function progressOf(nodes: ReadonlyMap<string, NodeRun> | undefined): JobProgress {
  if (nodes === undefined) return NO_PROGRESS;
  // An instance of a sub-graph is the sum of what is inside it, which has entries of its own.
  const inside = new Set([...nodes.keys()].filter((id) => id.includes(":")).map((id) => id.split(":", 1)[0]));
  let [done, total] = [0, 0];
  let running: NodeRun | null = null;
  for (const [id, node] of nodes) {
    if (inside.has(id) || node.state === "idle") continue;
    total += 1;
    if (node.state === "done" || node.state === "cached") done += 1;
    if (node.state === "running" && (running === null || node.preview !== null)) running = node;
  }
  const part = running === null || running.max <= 1 ? null : Math.min(1, running.value / running.max);
  return { part, done, total, preview: running?.preview ?? null };
}
