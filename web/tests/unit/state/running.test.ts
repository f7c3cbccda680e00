import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { setPlace } from "@/api/client";
import { newNode } from "@/graph/create";
import { type Document, emptyDocument, type Node } from "@/graph/document";
import { readObjectInfo } from "@/graph/object_info";
import { useNodeTypes } from "@/state/node_types";
import { useProblems } from "@/state/problems";
import { clearWaiting, run, stop } from "@/state/running";
import { useToasts } from "@/state/toasts";
import { activeTab, closeTab, openTab, undo } from "@/state/workbench";

import { json, serve, type TestServer } from "../api/server";

const SEED = ["INT", { default: 0, min: 0, max: 18446744073709551615n, control_after_generate: true }];
const entry = { display_name: "", description: "", python_module: "nodes", category: "", output_tooltips: [] };
const types = readObjectInfo({
  Draw: {
    ...entry,
    input: { required: { seed: SEED, size: ["INT", { default: 8, min: 1, max: 64 }] } },
    output: ["IMAGE"],
    output_is_list: [false],
    output_name: ["IMAGE"],
    name: "Draw",
    output_node: true,
  },
});

/** A document with one node that draws, its seed counted up after each run. */
function drawing(values: Node["values"] = {}): Document {
  const made = newNode(types, "Draw", "1", { x: 0, y: 0 });
  const node = { ...made, values: { ...made.values, seed: 100, ...values }, controls: { seed: "increment" as const } };
  const document = emptyDocument(crypto.randomUUID());
  return { ...document, root: { ...document.root, nodes: new Map([["1", node]]), lastNode: 1 } };
}

interface Received {
  readonly prompt_id: string;
  readonly number?: number;
  readonly front?: boolean;
  readonly prompt: Readonly<Record<string, { readonly inputs: { readonly seed: number } }>>;
  readonly extra_data: { readonly extra_pnginfo: { readonly workflow: { readonly id: string } } };
}

let server: TestServer;
/** What the server does with a job; by default it takes it. */
let answer: (job: Received, response: Parameters<typeof json>[0], body: string) => void;
const received: Received[] = [];
/** How many jobs the server had when it was told to clear what waits. */
const cleared: number[] = [];

beforeEach(async () => {
  received.length = 0;
  cleared.length = 0;
  answer = (job, response) => json(response, { prompt_id: job.prompt_id, number: 7, node_errors: {} });
  server = await serve((response, url, body) => {
    if (url.endsWith("/api/queue")) cleared.push(received.length);
    if (!url.endsWith("/api/prompt")) return json(response, { jobs: [], pagination: { total: 0 } });
    const job = JSON.parse(body) as Received;
    received.push(job);
    return answer(job, response, body);
  });
  setPlace(`${server.address}/`);
  useNodeTypes.setState({ types, status: "ready", message: "" });
  useToasts.setState({ toasts: [] });
});

afterEach(async () => {
  const tab = activeTab();
  if (tab !== null) closeTab(tab.id);
  await server.close();
});

function seedNow(): unknown {
  return activeTab()?.history.present.root.nodes.get("1")?.values["seed"];
}

function seedsSent(): (number | undefined)[] {
  return received.map((each) => each.prompt["1"]?.inputs.seed);
}

describe("Run", () => {
  it("sends the prompt with the workflow, and takes the seed on in one step that can be undone", async () => {
    const document = drawing();
    openTab(document, "x");
    expect(await run()).toBe("queued");
    expect(seedsSent()).toEqual([100]);
    expect(received[0]?.extra_data.extra_pnginfo.workflow.id).toBe(document.id);
    expect(seedNow()).toBe(101);
    undo();
    expect(seedNow()).toBe(100);
  });

  it("sends nothing when a value is out of range, and says where", async () => {
    const document = drawing({ size: 65 });
    openTab(document, "x");
    expect(await run()).toBe("problems");
    expect(received).toHaveLength(0);
    expect(useProblems.getState().problems.get(document.id)).toMatchObject([
      { node: "1", input: "size", from: "check" },
    ]);
    expect(seedNow()).toBe(100);
  });

  it("×N sends every seed once, in places that follow each other, as one edit", async () => {
    openTab(drawing(), "x");
    expect(await run({ times: 20 })).toBe("queued");
    const inPlaces = received.toSorted((a, b) => (a.number ?? 7) - (b.number ?? 7));
    expect(inPlaces.map((each) => each.prompt["1"]?.inputs.seed)).toEqual(
      Array.from({ length: 20 }, (_, i) => 100 + i),
    );
    expect(inPlaces.every((each) => (each.number ?? 7) < 8)).toBe(true);
    expect(seedNow()).toBe(120);
    expect(activeTab()?.history.past).toHaveLength(1);
  });

  it("pressed twice does not use a seed twice", async () => {
    openTab(drawing(), "x");
    await Promise.all([run({ times: 3 }), run({ times: 3 })]);
    expect(seedsSent().toSorted()).toEqual([100, 101, 102, 103, 104, 105]);
  });

  it("sends a job again, as the same job, when its answer was lost", async () => {
    let lost = 2;
    const bodies: string[] = [];
    answer = (job, response, body) => {
      bodies.push(body);
      if (lost-- > 0) response.destroy();
      else json(response, { prompt_id: job.prompt_id, number: 7, node_errors: {} });
    };
    openTab(drawing(), "x");
    expect(await run()).toBe("queued");
    expect(bodies).toHaveLength(3);
    expect(new Set(bodies).size).toBe(1);
  });

  it(
    "keeps the workflow when the server is away, and sends the same jobs when asked again",
    { timeout: 20_000 },
    async () => {
      const accepted = new Map<string, string>();
      let isAway = false;
      answer = (job, response, body) => {
        if (isAway) return response.destroy();
        if (accepted.size === 2) isAway = true;
        accepted.set(job.prompt_id, body);
        return json(response, { prompt_id: job.prompt_id, number: 7, node_errors: {} });
      };
      openTab(drawing(), "x");
      expect(await run({ times: 6 })).toBe("failed");
      const seed = Number(seedNow());
      expect(seed).toBeGreaterThanOrEqual(101);
      expect(seed).toBeLessThan(106);
      isAway = false;
      answer = (job, response, body) => {
        accepted.set(job.prompt_id, body);
        json(response, { prompt_id: job.prompt_id, number: 7, node_errors: {} });
      };
      useToasts.getState().toasts.at(-1)?.action?.run();
      await vi.waitFor(() => expect(seedNow()).toBe(106), 5000);
      const seeds = [...accepted.values()].map((each) => (JSON.parse(each) as Received).prompt["1"]?.inputs.seed);
      expect(seeds.toSorted()).toEqual([100, 101, 102, 103, 104, 105]);
    },
  );

  it("shows what the server refuses at its input, and leaves the seed", async () => {
    const error = {
      type: "value_not_in_list",
      message: "m",
      details: "d",
      extra_info: { input_name: "size", received_value: 8 },
    };
    const nodes = { "1": { errors: [error], dependent_outputs: ["1"], class_type: "Draw" } };
    answer = (_, response) =>
      json(
        response,
        { error: { type: "prompt_outputs_failed_validation", message: "m", details: "" }, node_errors: nodes },
        400,
      );
    const document = drawing();
    openTab(document, "x");
    expect(await run({ times: 5 })).toBe("problems");
    expect(received).toHaveLength(1);
    expect(useProblems.getState().problems.get(document.id)).toMatchObject([
      { node: "1", input: "size", from: "server" },
    ]);
    expect(seedNow()).toBe(100);
  });
});

describe("A run that is being sent", () => {
  beforeEach(() => {
    answer = (job, response) =>
      void setTimeout(() => json(response, { prompt_id: job.prompt_id, number: 7, node_errors: {} }), 5);
  });

  it("is sent no further when what waits is cleared, nor is the run pressed behind it", async () => {
    openTab(drawing(), "x");
    const runs = [run({ times: 2000 }), run({ times: 5 })];
    await vi.waitFor(() => expect(received.length).toBeGreaterThan(10));
    await clearWaiting();
    expect(await Promise.all(runs)).toEqual(["queued", "nothing"]);
    expect(received.length).toBeLessThan(2000);
    expect(cleared.at(-1)).toBe(received.length); // what was on its way is cleared as well
    expect(seedNow()).toBe(100 + received.length);
    const { length } = received;
    expect(await run()).toBe("queued");
    expect(received).toHaveLength(length + 1);
  });

  it("is sent no further when its workflow is stopped", async () => {
    openTab(drawing(), "x");
    const sent = run({ times: 2000 });
    await vi.waitFor(() => expect(received.length).toBeGreaterThan(10));
    await stop();
    expect(await sent).toBe("queued");
    expect(received.length).toBeLessThan(2000);
  });
});
