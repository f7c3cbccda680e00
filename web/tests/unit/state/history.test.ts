import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { json, serve, type TestServer } from "../api/server";

const PAGE = 50;

let server: TestServer;
/** The ids of ended jobs, the oldest first. */
let ended: number[] = [];

beforeEach(async () => {
  vi.resetModules();
  server = await serve((response, url, body) => {
    if (url.endsWith("/api/history")) {
      const gone = (JSON.parse(body) as { delete?: string[] }).delete?.map(Number);
      ended = gone === undefined ? [] : ended.filter((each) => !gone.includes(each));
      return response.end();
    }
    const query = new URL(url, "http://x").searchParams;
    const offset = Number(query.get("offset"));
    const jobs = ended.toReversed().slice(offset, offset + Number(query.get("limit")));
    return json(response, { jobs: jobs.map(job), pagination: { total: ended.length } });
  });
});

afterEach(() => server.close());

function job(number: number): object {
  return { id: String(number), status: "completed", priority: number, create_time: number, outputs_count: 0 };
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

async function opened() {
  const { setPlace } = await import("@/api/client");
  setPlace(`${server.address}/`);
  const history = await import("@/state/history");
  const { useRun } = await import("@/state/run");
  const ids = () => history.useHistory.getState().items.map((each) => Number(each.id));
  return { ...history, useRun, ids };
}

it("shows the newest first to the end, also when jobs end between two pages", async () => {
  ended = numbers(1, 120);
  const { loadMore, useRun, ids, useHistory } = await opened();
  await loadMore();
  expect(ids()).toEqual(numbers(120 - PAGE + 1, 120).toReversed());
  ended = numbers(1, 123);
  useRun.setState({ ended: 3 });
  await vi.waitFor(() => expect(ids()[0]).toBe(123));
  await loadMore();
  await loadMore();
  expect(ids()).toEqual(numbers(1, 123).toReversed());
  expect(useHistory.getState().hasMore).toBe(false);
});

it("begins anew when more jobs ended than a page has", async () => {
  ended = numbers(1, 60);
  const { loadMore, refresh, ids } = await opened();
  await loadMore();
  ended = numbers(1, 500);
  await refresh();
  await loadMore();
  expect(ids()).toEqual(numbers(500 - 2 * PAGE + 1, 500).toReversed());
});

it("forgets jobs, one or all", async () => {
  ended = numbers(1, 3);
  const { loadMore, forget, ids } = await opened();
  await loadMore();
  await forget(["2"]);
  expect(ids()).toEqual([3, 1]);
  expect(ended).toEqual([1, 3]);
  await forget(null);
  expect(ids()).toEqual([]);
});

it("is not asked for while nobody looks at it", async () => {
  const { useRun } = await opened();
  useRun.setState({ ended: 1 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(server.requests).toHaveLength(0);
});
