import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";

import { serverPlace } from "@/state/keeping_place";

let close: (() => void) | null = null;
afterEach(() => close?.());

/** A place at a real HTTP server that answers as told, and what it was asked. */
async function placeAt(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const asked: { method: string; url: string; ifMatch: string | undefined }[] = [];
  const server = createServer((request, response) => {
    asked.push({ method: request.method ?? "", url: request.url ?? "", ifMatch: request.headers["if-match"] });
    answer(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  close = () => server.close();
  const { port } = server.address() as AddressInfo;
  return { asked, place: serverPlace((path, init) => fetch(`http://127.0.0.1:${port}/api/${path}`, init)) };
}

describe("the server's user data", () => {
  it("is asked for files by one whole segment", async () => {
    const { place, asked } = await placeAt((_, response) => response.setHeader("ETag", '"7"').end("{}"));
    expect(await place.read("workflows/a b.json")).toEqual({ text: "{}", etag: '"7"' });
    expect(asked[0]?.url).toBe("/api/userdata/workflows%2Fa%20b.json");
  });

  it("is told which version may be replaced", async () => {
    const { place, asked } = await placeAt((_, response) => response.setHeader("ETag", '"8"').end());
    expect(await place.write("a.json", "{}", { over: '"7"' })).toEqual({ kind: "written", etag: '"8"' });
    await place.write("a.json", "{}", { over: null });
    expect(asked).toMatchObject([
      { method: "POST", url: "/api/userdata/a.json?overwrite=true", ifMatch: '"7"' },
      { method: "POST", url: "/api/userdata/a.json?overwrite=false", ifMatch: undefined },
    ]);
  });

  it.each([
    [412, "conflict"],
    [409, "conflict"],
    [502, "away"],
    [507, "refused"],
  ])("says with %i that a write is %s", async (status, kind) => {
    const { place } = await placeAt((_, response) => response.writeHead(status).end("why"));
    expect((await place.write("a.json", "{}", { over: null })).kind).toBe(kind);
  });

  it("is sent last words only as large as browsers let them be, counted in bytes", async () => {
    const sent: (boolean | undefined)[] = [];
    const place = serverPlace(async (_, init) => {
      sent.push(init?.keepalive);
      return new Response("");
    });
    // Fetch refuses a body of more than 64 KiB; a Chinese sign has three bytes.
    for (const text of ["a".repeat(40_000), "苹".repeat(40_000)]) {
      await place.write("a.json", text, { over: "any", isLast: true });
    }
    expect(sent).toEqual([true, false]);
  });

  it("says why a write was refused in the server's words alone", async () => {
    const answer = JSON.stringify({ error: "this file is too large" });
    const { place } = await placeAt((_, response) => response.writeHead(413).end(answer));
    expect(await place.write("a.json", "{}", { over: null })).toEqual({
      kind: "refused",
      message: "this file is too large",
    });
  });

  it("is away when nobody answers", async () => {
    const { place } = await placeAt((request) => request.socket.destroy());
    expect(await place.read("a.json")).toBe("away");
    expect((await place.write("a.json", "{}", { over: null })).kind).toBe("away");
  });

  it("tells files that are not there from a server that is away", async () => {
    const { place } = await placeAt((_, response) => response.writeHead(404).end());
    expect(await place.read("a.json")).toBeNull();
  });

  it("lists what is in a folder, by whole paths", async () => {
    const found = [
      { name: "workflows", path: "workflows", type: "directory" },
      { name: "sub", path: "workflows/sub", type: "directory" },
      { name: "settings.json", path: "settings.json", type: "file", size: 9, modified: 1 },
      { name: "a.json", path: "workflows/sub/a.json", type: "file", size: 3, modified: 1_700_000_000_000 },
    ];
    const { place } = await placeAt((_, response) => response.end(JSON.stringify(found)));
    expect(await place.list("workflows/")).toEqual([
      { path: "workflows/sub/a.json", size: 3, modified: 1_700_000_000_000 },
    ]);
  });
});
