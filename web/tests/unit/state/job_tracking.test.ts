import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { setPlace } from "@/api/client";
import type { Message } from "@/api/wire";
import { hear, introduce } from "@/state/job_tracking";

import { json, serve, type TestServer } from "../api/server";

let server: TestServer;

beforeEach(async () => {
  server = await serve((response) => json(response, { error: "not found" }, 404));
  setPlace(`${server.address}/`);
});

afterEach(() => server.close());

function progress(id: string): Message {
  return { type: "progress", data: { prompt_id: id, node: "1", value: 1, max: 2 } };
}

it("remembers the newest jobs, and asks for one that was forgotten when it is told about", async () => {
  for (let i = 0; i <= 20_000; i++) introduce(`job ${i}`, null, []);
  hear(progress("job 20000"));
  hear(progress("job 1"));
  hear(progress("job 0"));
  await vi.waitFor(() => expect(server.requests).not.toHaveLength(0));
  expect(server.requests.map((each) => decodeURIComponent(each.url))).toEqual(["/api/jobs/job 0"]);
});
