import { describe, expect, it } from "vitest";

import { NO_PROGRESS, progressOf } from "@/panels/queue/job_progress";
import { IDLE, type NodeRun } from "@/state/run";

function nodes(entries: Readonly<Record<string, Partial<NodeRun>>>): Map<string, NodeRun> {
  return new Map(Object.entries(entries).map(([id, change]) => [id, { ...IDLE, ...change }]));
}

describe("how far a job is", () => {
  it("counts nodes that are done or cached, and tells the part of the one that runs", () => {
    const progress = progressOf(
      nodes({
        1: { state: "cached" },
        2: { state: "done" },
        3: { state: "running", value: 5, max: 20, preview: "blob:x" },
        4: { state: "waiting" },
        5: { state: "idle" },
      }),
    );
    expect(progress).toEqual({ part: 0.25, done: 2, total: 4, preview: "blob:x" });
  });

  it("counts what is inside a sub-graph, not the sub-graph as well", () => {
    const progress = progressOf(
      nodes({ 7: { state: "running", value: 1, max: 2 }, "7:1": { state: "done" }, "7:2": { state: "running" } }),
    );
    expect([progress.done, progress.total]).toEqual([1, 2]);
  });

  it("knows no part of a node that does not say how far it is, nor of a job from elsewhere", () => {
    expect(progressOf(nodes({ 1: { state: "running", value: 0, max: 1 } })).part).toBeNull();
    expect(progressOf(undefined)).toBe(NO_PROGRESS);
  });
});
