import { afterEach, expect, it } from "vitest";

import { setPlace } from "@/api/client";
import { followJob, readEvents } from "@/api/job_events";
import type { Message } from "@/api/wire";

import { json, serve, type TestServer } from "./server";

let server: TestServer | null = null;

afterEach(async () => server?.close());

const STREAM = [
  "retry: 1000\n\n",
  ...[1, 2, 3].map(
    (id) => `id: ${id}\nevent: progress\ndata: {"node": "3", "value": ${id}, "max": 3, "prompt_id": "p"}\n\n`,
  ),
  ": nothing new\n\n",
  'id: 4\nevent: executing\ndata: {"node": null, "prompt_id": "p"}\n\n',
];

it("reads whole events, and keeps what is cut off", () => {
  const whole = STREAM.join("");
  for (let cut = 0; cut <= whole.length; cut++) {
    const first = readEvents(whole.slice(0, cut));
    const second = readEvents(first.rest + whole.slice(cut));
    expect([...first.events, ...second.events].map((each) => each.id)).toEqual(["1", "2", "3", "4"]);
  }
});

it("follows a job to its end, and goes on after an interruption where it left off", async () => {
  let isCut = false;
  server = await serve((response, url) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const since = Number(new URL(url, "http://x").searchParams.get("since") ?? 0);
    const rest = STREAM.filter((each) => Number(/^id: (\d+)/.exec(each)?.[1] ?? 0) > since);
    if (isCut) response.end(rest.join(""));
    else response.write(rest.slice(0, 2).join(""), () => response.destroy());
    isCut = true;
  });
  setPlace(`${server.address}/`);
  const numbers: (number | undefined)[] = [];
  const tell = (message: Message) => void numbers.push(message.id);
  expect(await followJob("p", tell, new AbortController().signal)).toBe(true);
  expect(numbers).toEqual([1, 2, 3, 4]);
  expect(server.requests.map((each) => each.url)).toEqual(["/api/jobs/p/events", "/api/jobs/p/events?since=2"]);
});

it("ends when the job is unknown, or when nobody wants to know any more", async () => {
  server = await serve((response, url) => {
    if (url.includes("unknown")) json(response, { error: "Job not found" }, 404);
    else response.writeHead(200).write("retry: 1\n\n");
  });
  setPlace(`${server.address}/`);
  expect(await followJob("unknown", () => undefined, new AbortController().signal)).toBe(false);
  expect(await followJob("p", () => undefined, AbortSignal.timeout(50))).toBe(false);
});
