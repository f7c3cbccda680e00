import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { setPlace } from "@/api/client";
import { newNode } from "@/graph/create";
import { type Document, emptyDocument } from "@/graph/document";
import { readObjectInfo } from "@/graph/object_info";
import { Batch } from "@/state/run_batch";

import { json, serve, type TestServer } from "../api/server";

const types = readObjectInfo({
  Draw: {
    display_name: "",
    description: "",
    python_module: "nodes",
    category: "",
    output_tooltips: [],
    input: { required: { seed: ["INT", { default: 0, control_after_generate: true }] } },
    output: ["IMAGE"],
    output_is_list: [false],
    output_name: ["IMAGE"],
    name: "Draw",
    output_node: true,
  },
});

/** A document with one node that draws, its seed 100 and counted up after each run. */
function drawing(): Document {
  const made = newNode(types, "Draw", "1", { x: 0, y: 0 });
  const node = { ...made, values: { ...made.values, seed: 100 }, controls: { seed: "increment" as const } };
  const document = emptyDocument("d");
  return { ...document, root: { ...document.root, nodes: new Map([["1", node]]), lastNode: 1 } };
}

interface Taken {
  readonly id: string;
  readonly seed: number;
  readonly place: number;
}

let server: TestServer;
const taken: Taken[] = [];
/** Seeds that the server refuses for now. */
let refuses: (seed: number) => boolean;

beforeEach(async () => {
  taken.length = 0;
  refuses = () => false;
  server = await serve((response, _url, body) => {
    const job = JSON.parse(body);
    const { seed } = job.prompt["1"].inputs;
    if (refuses(seed)) return json(response, { error: "busy" }, 503);
    // A little later, so that what is refused is known before what is taken.
    return void setTimeout(() => {
      taken.push({ id: job.prompt_id, seed, place: job.number ?? 7 });
      json(response, { prompt_id: job.prompt_id, number: 7, node_errors: {} });
    }, 5);
  });
  setPlace(`${server.address}/`);
});

afterEach(async () => {
  vi.unstubAllGlobals();
  await server.close();
});

function batchOf(times: number, signal = new AbortController().signal): Batch {
  const options = { document: drawing(), types, clientId: "me", targets: null, front: false, onMade: () => undefined };
  return new Batch({ ...options, times, signal });
}

function seeds(): number[] {
  return taken.map((each) => each.seed).toSorted((a, b) => a - b);
}

describe("A batch that is sent again", () => {
  it("sends only what was not taken, also where that is in the middle", async () => {
    refuses = (seed) => seed === 102;
    const batch = batchOf(6);
    expect((await batch.send()).kind).toBe("failed");
    expect(seeds()).not.toContain(102);
    expect(seeds().at(-1)).toBeGreaterThan(102); // there is a hole
    expect(batch.sent).toBe(taken.length);
    refuses = () => false;
    expect((await batch.send()).kind).toBe("sent");
    expect(seeds()).toEqual([100, 101, 102, 103, 104, 105]);
    expect(new Set(taken.map((each) => each.id)).size).toBe(6);
    expect(batch.sent).toBe(6);
  });

  it("leaves a seed that no job had, also while there is a hole", async () => {
    refuses = (seed) => seed === 102;
    const batch = batchOf(6);
    await batch.send();
    const last = seeds().at(-1) ?? 0;
    expect(batch.after.root.nodes.get("1")?.values["seed"]).toBe(last + 1);
  });
});

describe("A batch", () => {
  it("has all its places before the next whole number, however large it is", async () => {
    const places = new Map<number, number>();
    vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
      const { prompt, number } = JSON.parse(String(init.body));
      places.set(prompt["1"].inputs.seed, number ?? 7);
      return new Response('{"number": 7, "node_errors": {}}');
    });
    await batchOf(9999).send();
    const inOrder = [...places].toSorted(([a], [b]) => a - b).map(([, place]) => place);
    expect(inOrder).toHaveLength(9999);
    expect(inOrder.every((each, i) => each > (inOrder[i - 1] ?? 0) && each < 8)).toBe(true);
  }, 20_000);

  it("sends no more once it is stopped, and leaves the seed after the last that was taken", async () => {
    const stopper = new AbortController();
    const batch = batchOf(500, stopper.signal);
    const end = batch.send();
    await expect.poll(() => taken.length, { interval: 5 }).toBeGreaterThan(20);
    stopper.abort();
    expect((await end).kind).toBe("stopped");
    const { length } = taken;
    expect(length).toBeLessThan(500);
    expect(batch.sent).toBe(length);
    expect(batch.after.root.nodes.get("1")?.values["seed"]).toBe(100 + length);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(taken).toHaveLength(length);
  });
});
