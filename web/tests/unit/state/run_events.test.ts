import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Message } from "@/api/wire";
import { readEnd } from "@/state/jobs";
import { afterEvents, NO_RUNS, type RunEvent } from "@/state/run_events";

import { DOCUMENT, known, nodesIn, oneByOne, type Recording, RECORDINGS, recording, statesIn, told } from "./recording";

function until(recorded: Recording, stop: (message: Message) => boolean): Message[] {
  return recorded.messages.slice(0, recorded.messages.findIndex(stop) + 1);
}

function ended(recorded: Recording): RunEvent {
  return { type: "ended", job: recorded.job.id, documentId: DOCUMENT, end: readEnd(recorded.job) };
}

describe("a run that is told from its beginning", () => {
  const recorded = recording("text_to_image");

  it("shows the nodes of the job as waiting when it begins", () => {
    const runs = oneByOne([known(recorded), ...told(recorded.messages.slice(0, 1))]);
    expect(new Set(Object.values(statesIn(runs)))).toEqual(new Set(["waiting"]));
    expect(nodesIn(runs).size).toBe(7);
  });

  it("shows one node running at a time, with its progress", () => {
    const first = recorded.messages.filter((each) => each.type === "progress" && each.data.node === "3")[2];
    const runs = oneByOne([known(recorded), ...told(until(recorded, (each) => each === first))]);
    expect(statesIn(runs)).toEqual({
      4: "done",
      5: "done",
      6: "done",
      7: "done",
      3: "running",
      8: "waiting",
      9: "waiting",
    });
    expect(nodesIn(runs).get("3")).toMatchObject(
      first?.type === "progress" ? { value: first.data.value, max: 20 } : {},
    );
  });

  it("ends with every node done and the picture at its node", () => {
    const runs = oneByOne([known(recorded), ...told(recorded.messages)]);
    expect(new Set(Object.values(statesIn(runs)))).toEqual(new Set(["done"]));
    expect(nodesIn(runs).get("9")?.output?.pictures).toEqual([
      { filename: "Latentwire_00002_.png", subfolder: "", type: "output" },
    ]);
  });

  it("takes the exact times from the ended job", () => {
    const runs = oneByOne([known(recorded), ...told(recorded.messages), ended(recorded)]);
    const status = "execution_status" in recorded.job ? recorded.job.execution_status : null;
    for (const { node, seconds } of status?.timings ?? []) expect(nodesIn(runs).get(node)?.seconds).toBe(seconds);
    expect(status?.timings).toHaveLength(7);
  });

  it("measures how long a node took while it is told live", () => {
    let at = 1000;
    const live = recorded.messages.map((message): RunEvent => ({ type: "message", message, at: (at += 100) }));
    const before = recorded.messages.findIndex((each) => each.type === "executing" && each.data.node === "5");
    const runs = oneByOne([known(recorded), ...live.slice(0, before + 1)]);
    expect(nodesIn(runs).get("4")?.seconds).toBeGreaterThan(0);
    expect(nodesIn(runs).get("4")?.seconds).toBeLessThanOrEqual(0.2);
  });
});

describe("a server that went down in the middle", () => {
  const recorded = recording("text_to_image");
  const first = recorded.messages.filter((each) => each.type === "progress" && each.data.node === "3")[2];
  const half = told(until(recorded, (each) => each === first));
  const waits: RunEvent = { type: "waits", job: recorded.job.id };

  it("shows all nodes of a job that waits again as waiting, without the old progress", () => {
    const runs = oneByOne([known(recorded), ...half, waits]);
    expect(new Set(Object.values(statesIn(runs)))).toEqual(new Set(["waiting"]));
    expect(nodesIn(runs).get("3")).toMatchObject({ value: 0, max: 1, preview: null });
  });

  it("leaves a job that has not begun, or has ended, as it is", () => {
    const before = oneByOne([known(recorded)]);
    expect(afterEvents(before, [waits]).documents).toBe(before.documents);
    const after = oneByOne([known(recorded), ...told(recorded.messages)]);
    expect(afterEvents(after, [waits]).documents).toBe(after.documents);
  });
});

describe("other ends", () => {
  it("shows cached nodes as cached, also after they are told again as finished", () => {
    const recorded = recording("other_prefix");
    const runs = oneByOne([known(recorded), ...told(recorded.messages), ended(recorded)]);
    expect(statesIn(runs)).toMatchObject({ 3: "cached", 4: "cached", 8: "cached", 9: "done" });
    expect(nodesIn(runs).get("3")?.seconds).toBeNull();
  });

  it("leaves nothing running or waiting after a job is cancelled", () => {
    const recorded = recording("cancelled");
    const runs = oneByOne([known(recorded), ...told(recorded.messages), ended(recorded)]);
    expect(statesIn(runs)).toMatchObject({ 3: "idle", 4: "cached", 8: "idle", 9: "idle" });
    expect(Object.values(statesIn(runs))).not.toContain("running");
  });

  it("shows the node that failed, and the others at rest", () => {
    const recorded = recording("failed");
    const runs = oneByOne([known(recorded), ...told(recorded.messages), ended(recorded)]);
    expect(statesIn(runs)).toMatchObject({ 20: "failed", 3: "idle", 9: "idle", 4: "cached" });
  });

  it("begins anew when the server was killed and runs the job again", () => {
    const recorded = recording("restarted");
    const starts = recorded.messages.filter((each) => each.type === "execution_start");
    expect(starts).toHaveLength(2);
    const again = oneByOne([known(recorded), ...told(until(recorded, (each) => each === starts[1]))]);
    expect(new Set(Object.values(statesIn(again)))).toEqual(new Set(["waiting"]));
    const runs = oneByOne([known(recorded), ...told(recorded.messages)]);
    expect(new Set(Object.values(statesIn(runs)))).toEqual(new Set(["done"]));
  });

  it("rebuilds an ended job from what the server keeps", () => {
    for (const name of RECORDINGS) {
      const recorded = recording(name);
      const live = oneByOne([known(recorded), ...told(recorded.messages), ended(recorded)]);
      const rebuilt = oneByOne([ended(recorded)]);
      for (const [id, node] of nodesIn(rebuilt)) {
        const { state, seconds, output } = nodesIn(live).get(id) ?? {};
        expect({ id, ...node }).toMatchObject({ id, state, seconds, output });
      }
      expect(nodesIn(rebuilt).size).toBeGreaterThan(0);
    }
  });
});

describe("messages that come again", () => {
  it("give the same state wherever the connection was cut, and however they are batched", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...RECORDINGS),
        fc.array(fc.tuple(fc.nat(), fc.nat(40)), { maxLength: 5 }),
        fc.integer({ min: 1, max: 9 }),
        (name, cuts, size) => {
          const recorded = recording(name);
          const whole = oneByOne([known(recorded), ...told(recorded.messages)]);
          const events = [known(recorded), ...told(interrupted(recorded.messages, cuts))];
          let runs = NO_RUNS;
          for (let at = 0; at < events.length; at += size) runs = afterEvents(runs, events.slice(at, at + size));
          expect(runs).toEqual(whole);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("leave the state as it is in the middle of a run, wherever they begin and end", () => {
    fc.assert(
      fc.property(fc.constantFrom(...RECORDINGS), fc.nat(), fc.nat(), fc.nat(), (name, end, from, to) => {
        const recorded = recording(name);
        const heard = recorded.messages.slice(0, (end % recorded.messages.length) + 1);
        const runs = oneByOne([known(recorded), ...told(heard)]);
        expect(oneByOne(told(heard.slice(from % heard.length, to % (heard.length + 1))), runs)).toEqual(runs);
      }),
      { numRuns: 300 },
    );
  });

  it("change nothing, so that nothing is drawn again", () => {
    const recorded = recording("text_to_image");
    const runs = oneByOne([known(recorded), ...told(recorded.messages)]);
    expect(afterEvents(runs, told(recorded.messages)).documents).toBe(runs.documents);
  });

  it("do not touch a later job of the same document", () => {
    const [earlier, later] = [recording("text_to_image"), recording("other_prefix")];
    const runs = oneByOne([
      known(earlier),
      known(later),
      ...told(later.messages),
      ...told(earlier.messages.slice(5, 20)),
    ]);
    expect(nodesIn(runs)).toEqual(nodesIn(oneByOne([known(later), ...told(later.messages)])));
  });
});

/** The messages with some of them told again after each cut, as a server does that remembers more than we ask for. */
function interrupted(messages: readonly Message[], cuts: readonly (readonly [number, number])[]): Message[] {
  let result = [...messages];
  for (const [place, again] of cuts) {
    const at = place % (result.length + 1);
    result = [...result.slice(0, at), ...result.slice(Math.max(0, at - again))];
  }
  return result;
}

describe("a large workflow", () => {
  const nodes = Array.from({ length: 2000 }, (_, i) => String(i));
  const start: Message = { type: "execution_start", data: { prompt_id: "job", timestamp: 0 }, id: 1 };
  const begun = oneByOne([{ type: "known", job: "job", documentId: DOCUMENT, nodes }, ...told([start])]);

  it("keeps the entries of all nodes but the one that changes", () => {
    const progress: Message = { type: "progress", data: { prompt_id: "job", node: "7", value: 3, max: 20 }, id: 2 };
    const runs = afterEvents(begun, told([progress]));
    const changed = [...nodesIn(runs)].filter(([id, node]) => nodesIn(begun).get(id) !== node);
    expect(changed.map(([id]) => id)).toEqual(["7"]);
  });
});

describe("parts of nodes", () => {
  const nodes = ["3", "57:8", "57:9", "57:1:2"];
  const ids = { prompt_id: "job" };
  const begun = oneByOne([
    { type: "known", job: "job", documentId: DOCUMENT, nodes },
    ...told([{ type: "execution_start", data: { ...ids, timestamp: 0 }, id: 1 }]),
  ]);

  it("show an instance as running while anything inside runs or is done, with the sum of the progress", () => {
    const runs = oneByOne(
      told([
        { type: "executing", data: { ...ids, node: "57:8", display_node: "57:8" }, id: 2 },
        { type: "progress", data: { ...ids, node: "57:8", value: 5, max: 10 }, id: 3 },
      ]),
      begun,
    );
    expect(nodesIn(runs).get("57")).toMatchObject({ state: "running", value: 5, max: 12 });
    expect(nodesIn(runs).get("57:1")?.state).toBe("waiting");
    const after = oneByOne(told([{ type: "executing", data: { ...ids, node: "3", display_node: "3" }, id: 4 }]), runs);
    expect(nodesIn(after).get("57")).toMatchObject({ state: "running", value: 10, max: 12 });
  });

  it("show an instance as failed when anything inside failed", () => {
    const error = { node_id: "57:1:2", node_type: "X", executed: [], exception_message: "no", exception_type: "E" };
    const data = { ...ids, ...error, traceback: [], current_inputs: {}, current_outputs: [], timestamp: 1 };
    const runs = oneByOne(told([{ type: "execution_error", data, id: 2 }]), begun);
    expect(nodesIn(runs).get("57")?.state).toBe("failed");
    expect(nodesIn(runs).get("57:1")?.state).toBe("failed");
    expect(nodesIn(runs).get("3")?.state).toBe("waiting");
  });

  it("count what a node has put into the graph for the node on the screen", () => {
    const runs = oneByOne(
      told([
        { type: "executing", data: { ...ids, node: "3.0.0.1", display_node: "3" }, id: 2 },
        { type: "progress", data: { ...ids, node: "3.0.0.1", value: 1, max: 4 }, id: 3 },
      ]),
      begun,
    );
    expect(nodesIn(runs).get("3")).toMatchObject({ state: "running", value: 1, max: 4 });
    expect(nodesIn(runs).has("3.0.0.1")).toBe(false);
  });
});

describe("pictures in the making", () => {
  const recorded = recording("text_to_image");
  const running = until(recorded, (each) => each.type === "progress" && each.data.node === "3");
  const preview: RunEvent = { type: "preview", job: recorded.job.id, node: "3", url: "blob:1" };

  it("are shown while their node runs and no longer", () => {
    const runs = oneByOne([known(recorded), ...told(running), preview]);
    expect(nodesIn(runs).get("3")?.preview).toBe("blob:1");
    const after = oneByOne(told(recorded.messages), runs);
    expect([...nodesIn(after).values()].every((each) => each.preview === null)).toBe(true);
  });

  it("are left out when they come after their node", () => {
    const runs = oneByOne([known(recorded), ...told(recorded.messages), preview]);
    expect(nodesIn(runs).get("3")?.preview).toBeNull();
  });
});
