import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocket as ClientSocket, type WebSocket as ServerSocket } from "ws";

import type { Message } from "@/api/wire";

import { json, serve, type TestServer } from "../api/server";
import { DOCUMENT, recording } from "./recording";

const recorded = recording("text_to_image");
const { id } = recorded.job;
const listed = { ...recorded.job, workflow_id: DOCUMENT };

/** What the server knows: how far the job is, and who listens. */
const world = {
  told: 0,
  list: [] as unknown[],
  ended: [] as unknown[],
  objectInfo: [] as (number | object)[],
  sockets: [] as ServerSocket[],
  streams: [] as { write: (text: string) => void }[],
};

let server: TestServer;

beforeEach(async () => {
  vi.resetModules();
  vi.stubGlobal("WebSocket", ClientSocket);
  vi.stubGlobal("window", new EventTarget());
  vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
  vi.stubGlobal("sessionStorage", { getItem: () => "tab-1", setItem: () => undefined });
  Object.assign(world, { told: 0, list: [], ended: [], objectInfo: [{}], sockets: [], streams: [] });
  server = await serve(
    (response, url) => {
      const { pathname, searchParams } = new URL(url, "http://x");
      if (pathname === "/api/object_info") {
        const next = world.objectInfo.length > 1 ? world.objectInfo.shift() : world.objectInfo[0];
        return typeof next === "number"
          ? json(response, { error: "no worker is ready yet" }, next, { "Retry-After": "0" })
          : json(response, next);
      }
      if (pathname === `/api/jobs/${id}/events`) {
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        const since = Number(searchParams.get("since") ?? 0);
        for (const each of recorded.messages.slice(0, world.told))
          if ((each.id ?? 0) > since) response.write(line(each));
        return void world.streams.push(response);
      }
      if (pathname === `/api/jobs/${id}`) return json(response, listed);
      const jobs = searchParams.get("status")?.includes("pending") === true ? world.list : world.ended;
      return json(response, { jobs, pagination: { total: jobs.length } });
    },
    (socket) => world.sockets.push(socket),
  );
});

afterEach(async () => {
  stop();
  await server.close();
  vi.unstubAllGlobals();
});

let stop: () => void = () => undefined;

function line({ id: number, type, data }: Message): string {
  return `id: ${number}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Opens the page with the document in it. */
async function open() {
  const { setPlace } = await import("@/api/client");
  setPlace(`${server.address}/`);
  const { useRun } = await import("@/state/run");
  const bench = await import("@/state/workbench");
  const { emptyDocument } = await import("@/graph/document");
  const { useNodeTypes } = await import("@/state/node_types");
  bench.openTab(emptyDocument(DOCUMENT), "x");
  stop = (await import("@/state/session")).start();
  const states = () =>
    Object.fromEntries([...(useRun.getState().nodes.get(DOCUMENT) ?? [])].map(([node, { state }]) => [node, state]));
  return { useRun, bench, states, useNodeTypes };
}

function tell(until: number): void {
  for (const each of recorded.messages.slice(world.told, until)) world.sockets.at(-1)?.send(JSON.stringify(each));
  world.told = until;
}

const WHOLE = recorded.messages.length;
const DONE = { 3: "done", 4: "done", 5: "done", 6: "done", 7: "done", 8: "done", 9: "done" };

describe("the session", () => {
  it("waits for node types with the server's words until it has them", async () => {
    world.objectInfo = [503, 503, { Foo: { input: {}, output: [] } }];
    const { useNodeTypes } = await open();
    await vi.waitFor(() => expect(useNodeTypes.getState().message).toBe("no worker is ready yet"));
    await vi.waitFor(() => expect(useNodeTypes.getState().status).toBe("ready"), 5000);
    expect([...useNodeTypes.getState().types.keys()]).toEqual(["Foo"]);
  });

  it("rebuilds a run whose beginning it did not hear, and hears its end", async () => {
    world.told = 12;
    world.list = [{ ...listed, status: "in_progress" }];
    const { states, useRun } = await open();
    await vi.waitFor(() => expect(states()).toMatchObject({ 4: "done", 3: "running", 9: "waiting" }), 3000);
    expect(useRun.getState().active).toHaveLength(1);
    for (const each of recorded.messages.slice(12)) world.streams[0]?.write(line(each));
    tell(WHOLE); // the same by the socket: it is ours
    world.list = [];
    await vi.waitFor(() => expect(states()).toEqual(DONE), 3000);
    await vi.waitFor(() => expect(useRun.getState()).toMatchObject({ active: [], ended: 1 }), 3000);
  });

  it("is told a run by the socket from its beginning without asking for its stream", async () => {
    world.list = [{ ...listed, status: "pending" }];
    const { states, useRun } = await open();
    await vi.waitFor(() => expect(useRun.getState().connection).toBe("open"));
    tell(5);
    await vi.waitFor(() => expect(states()).toMatchObject({ 9: "waiting" }));
    world.list = [];
    tell(WHOLE);
    await vi.waitFor(() => expect(states()).toEqual(DONE), 3000);
    expect(world.streams).toHaveLength(0);
    expect(useRun.getState().ended).toBe(1);
  });

  it("shows what the last job of a document left", async () => {
    world.ended = [listed];
    const { states, useRun } = await open();
    await vi.waitFor(() => expect(states()).toEqual(DONE), 3000);
    expect(useRun.getState().nodes.get(DOCUMENT)?.get("9")?.output?.pictures).toHaveLength(1);
    expect(useRun.getState().ended).toBe(0);
  });

  it("notices the end of a job whose last messages never came", async () => {
    world.list = [{ ...listed, status: "in_progress" }];
    world.told = 5;
    const { useRun, states } = await open();
    await vi.waitFor(() => expect(states()).toMatchObject({ 9: "waiting" }), 3000);
    world.list = [];
    world.sockets
      .at(-1)
      ?.send(JSON.stringify({ type: "status", data: { status: { exec_info: { queue_remaining: 0 } } } }));
    await vi.waitFor(() => expect(useRun.getState().ended).toBe(1), 4000);
    await vi.waitFor(() => expect(states()).toEqual(DONE), 3000);
  });

  it("notices that a job of somebody else came and went between two looks", async () => {
    const { useRun } = await open();
    await vi.waitFor(() => expect(world.sockets.length).toBeGreaterThan(0), 3000);
    for (const queue_remaining of [1, 0]) {
      world.sockets
        .at(-1)
        ?.send(JSON.stringify({ type: "status", data: { status: { exec_info: { queue_remaining } } } }));
    }
    await vi.waitFor(() => expect(useRun.getState().ended).toBe(1), 4000);
  });

  it("forgets what a closed document showed", async () => {
    world.ended = [listed];
    const { states, bench } = await open();
    await vi.waitFor(() => expect(states()).toEqual(DONE), 3000);
    const tab = bench.activeTab();
    if (tab !== null) bench.closeTab(tab.id);
    await vi.waitFor(() => expect(states()).toEqual({}));
  });
});
