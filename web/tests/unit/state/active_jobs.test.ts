import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { setPlace } from "@/api/client";
import type { Job } from "@/api/wire";
import { refreshActive, whenGone } from "@/state/active_jobs";
import { useRun } from "@/state/run";

import { json, serve, type TestServer } from "../api/server";

const MOST = 1000;

let server: TestServer;
/** What the server has, in any order. */
let there: Job[];
let gone: string[];

beforeEach(async () => {
  gone = [];
  whenGone((ids) => gone.push(...ids));
  useRun.setState({ active: [], more: 0 });
  there = [];
  server = await serve((response, url) => {
    const { searchParams } = new URL(url, "http://x");
    const statuses = searchParams.get("status")?.split(",") ?? [];
    const key = searchParams.get("sort_by") === "priority" ? "priority" : "create_time";
    const found = there.filter((each) => statuses.includes(each.status)).toSorted((a, b) => a[key] - b[key]);
    const jobs = found.slice(0, Math.min(MOST, Number(searchParams.get("limit"))));
    json(response, { jobs, pagination: { total: found.length } });
  });
  setPlace(`${server.address}/`);
});

afterEach(() => server.close());

function job(id: string, priority: number, status: Job["status"] = "pending"): Job {
  return { id, status, priority, create_time: there.length, outputs_count: 0, previewable_outputs_count: 0 };
}

function fill(count: number): void {
  for (let i = 0; i < count; i++) there.push(job(`job ${i}`, i, i === 0 ? "in_progress" : "pending"));
}

function shown(): string[] {
  return useRun.getState().active.map((each) => each.id);
}

describe("The jobs that run and wait", () => {
  it("are all there where a page has them all", async () => {
    fill(30);
    await refreshActive();
    expect(shown()).toEqual(Array.from({ length: 30 }, (_, i) => `job ${i}`));
    expect(useRun.getState().more).toBe(0);
  });

  it("are counted behind the first thousand, before which is what was put in front", async () => {
    fill(1500);
    there.push(job("urgent", -1));
    await refreshActive();
    expect(shown().slice(0, 3)).toEqual(["job 0", "urgent", "job 1"]);
    expect(shown().length + useRun.getState().more).toBe(1501);
  });

  it("have what runs first, also where a thousand were put in front of it", async () => {
    fill(5);
    for (let i = 1; i <= 1200; i++) there.push(job(`urgent ${i}`, -i));
    await refreshActive();
    expect(shown()[0]).toBe("job 0");
    expect(shown()[1]).toBe("urgent 1200");
    expect(shown().length + useRun.getState().more).toBe(1205);
  });

  it("are not thought gone when others come before them, but are when they are", async () => {
    fill(1000);
    await refreshActive();
    for (let i = 1; i <= 10; i++) there.push(job(`urgent ${i}`, -i));
    await refreshActive();
    expect(gone).toEqual([]);
    there = there.filter((each) => each.id !== "job 7");
    await refreshActive();
    expect(gone).toEqual(["job 7"]);
  });
});
