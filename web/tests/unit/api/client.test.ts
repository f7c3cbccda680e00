import { afterEach, describe, expect, it } from "vitest";

import * as client from "@/api/client";
import type { Failure } from "@/api/failure";
import { send } from "@/api/request";

import { json, serve, type TestServer } from "./server";

let server: TestServer | null = null;

afterEach(async () => {
  await server?.close();
  server = null;
});

async function answering(...args: Parameters<typeof serve>): Promise<TestServer> {
  server = await serve(...args);
  client.setPlace(`${server.address}/some/prefix/?token=secret`);
  return server;
}

async function failureOf(request: Promise<unknown>): Promise<Failure> {
  return request.then(
    () => Promise.reject(new Error("it worked")),
    (error: Failure) => error,
  );
}

describe("requests", () => {
  it("go to the page's own place, with the token of its address", async () => {
    const { requests } = await answering((response) => json(response, { exec_info: { queue_remaining: 3 } }));
    expect(await client.remaining()).toBe(3);
    expect(requests[0]).toMatchObject({ method: "GET", url: "/some/prefix/api/prompt" });
    expect(requests[0]?.headers["x-token"]).toBe("secret");
  });

  it("carry seeds of 64 bits exactly, and bring them back", async () => {
    const { requests } = await answering((response, _, body) => json(response, body));
    const prompt = { "3": { class_type: "KSampler", inputs: { seed: 18446744073709551615n } } };
    const about = { promptId: "p", clientId: "c", workflow: {}, targets: null, number: null, front: false };
    const body = client.submissionBody({ prompt, ...about });
    const back = await client.queuePrompt(body);
    expect(requests[0]?.body).toContain('"seed":18446744073709551615');
    expect(back).toMatchObject({ prompt });
  });

  it("name only what is asked for", () => {
    client.setPlace("http://host/");
    expect(client.viewUrl({ filename: "a b&c.png", subfolder: "", type: "output" })).toBe(
      "http://host/api/view?filename=a+b%26c.png&type=output",
    );
    expect(client.viewUrl({ filename: "a.png", subfolder: "s", type: "temp" }, { size: 256, version: 7 })).toBe(
      "http://host/api/view?filename=a.png&subfolder=s&type=temp&preview=webp%3B80&size=256&v=7",
    );
  });
});

describe("failures", () => {
  const cases = [
    [400, "refused"],
    [401, "refused"],
    [404, "notFound"],
    [409, "conflict"],
    [412, "conflict"],
    [413, "tooLarge"],
    [500, "other"],
    [502, "offline"],
    [503, "notReady"],
    [507, "noSpace"],
  ] as const;

  it.each(cases)("with status %i are %s, in the server's words", async (status, kind) => {
    await answering((response) => json(response, { error: "what, and what to do" }, status, { "Retry-After": "5" }));
    const failure = await failureOf(client.jobs());
    expect(failure).toMatchObject({ kind, status, message: "what, and what to do", retryAfter: 5 });
  });

  it("keep the whole answer of POST /prompt", async () => {
    const body = {
      error: { type: "prompt_no_outputs", message: "Prompt has no outputs", details: "" },
      node_errors: {},
    };
    await answering((response) => json(response, body, 400));
    expect(await failureOf(client.queuePrompt("{}"))).toMatchObject({ message: "Prompt has no outputs", body });
  });

  it("do not show a proxy's page as words", async () => {
    await answering((response) => json(response, "<html>Bad Gateway</html>", 502));
    expect(await failureOf(client.features())).toMatchObject({ kind: "offline", message: "" });
  });

  it("are offline when nobody answers, the connection breaks, or it takes too long", async () => {
    const { address } = await answering((response) => response.destroy());
    expect(await failureOf(client.features())).toMatchObject({ kind: "offline", status: 0 });
    await server?.close();
    client.setPlace(address);
    expect(await failureOf(client.features())).toMatchObject({ kind: "offline", status: 0 });
    await answering(() => undefined);
    expect(await failureOf(send("features", { timeout: 50 }))).toMatchObject({ kind: "offline" });
  });

  it("are no failures when the caller stopped them", async () => {
    await answering(() => undefined);
    const error = await failureOf(send("features", { signal: AbortSignal.timeout(30) }));
    expect(error.name).toBe("TimeoutError");
  });
});
