import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { WebSocket as ClientSocket, type WebSocket as ServerSocket } from "ws";

import type { Frame } from "@/api/frames";
import { type Connection, type Pace, Socket } from "@/api/socket";

import { json, serve, type TestServer } from "./server";

beforeAll(() => {
  if (typeof globalThis.WebSocket === "undefined") vi.stubGlobal("WebSocket", ClientSocket); // Node 20 has none
});

const PACE: Pace = { first: 20, slowest: 80, patience: 300, quiet: 100_000 };

/** Stored messages, and who asked for those after which number. */
class Story {
  readonly asked: (string | null)[] = [];
  readonly stored: number[] = [];
  private socket: ServerSocket | null = null;

  readonly accept = (socket: ServerSocket, url: string): void => {
    this.socket = socket;
    const since = new URL(url, "http://x").searchParams.get("since");
    this.asked.push(since);
    socket.send(JSON.stringify({ type: "status", data: { status: { exec_info: { queue_remaining: 0 } } } }));
    if (since !== null) for (const each of this.stored) if (each > Number(since)) this.send(each);
  };

  happen(number: number): void {
    this.stored.push(number);
    this.send(number);
  }

  send(number: number): void {
    const data = { prompt_id: "p", node: "3", value: number, max: 100 };
    this.socket?.send(JSON.stringify({ type: "progress", data, id: number }));
  }
}

let server: TestServer | null = null;
let socket: Socket | null = null;

afterEach(async () => {
  socket?.stop();
  await server?.close();
});

interface Heard {
  readonly numbers: number[];
  readonly frames: Frame[];
  readonly connections: Connection[];
}

function listen(address: string, pace: Partial<Pace> = {}, remaining = () => Promise.resolve(0)): Heard {
  const heard: Heard = { numbers: [], frames: [], connections: [] };
  socket = new Socket({
    address: (since) => `${address.replace("http", "ws")}/api/ws?clientId=c${since === null ? "" : `&since=${since}`}`,
    onFrame: (frame) => {
      heard.frames.push(frame);
      if ("id" in frame && frame.id !== undefined) heard.numbers.push(frame.id);
    },
    onConnection: (connection) => heard.connections.push(connection),
    remaining,
    pace: { ...PACE, ...pace },
  });
  socket.start();
  return heard;
}

describe("the socket", () => {
  it("says first which frames it understands", async () => {
    const said: string[] = [];
    server = await serve(
      (response) => json(response, {}),
      (each) => each.on("message", (data: Buffer) => said.push(data.toString())),
    );
    listen(server.address);
    await vi.waitFor(() => expect(said).toHaveLength(1));
    expect(JSON.parse(said[0] ?? "")).toMatchObject({
      type: "feature_flags",
      data: { supports_preview_metadata: true },
    });
  });

  it("asks for what it missed, and shows nothing twice", async () => {
    const story = new Story();
    server = await serve((response) => json(response, {}), story.accept);
    const heard = listen(server.address);
    await vi.waitFor(() => expect(server?.sockets).toHaveLength(1));
    story.happen(5);
    story.happen(6);
    story.send(6); // told twice
    await vi.waitFor(() => expect(heard.numbers).toEqual([5, 6]));
    server.sockets[0]?.terminate();
    story.happen(7);
    await vi.waitFor(() => expect(heard.numbers).toEqual([5, 6, 7]));
    story.happen(8);
    await vi.waitFor(() => expect(heard.numbers).toEqual([5, 6, 7, 8]));
    expect(story.asked).toEqual([null, "6"]);
    expect(heard.connections).toEqual(["connecting", "open", "lost", "open"]);
  });

  it("comes back to a server that was away for a while", async () => {
    const story = new Story();
    server = await serve((response) => json(response, {}), story.accept);
    const port = Number(new URL(server.address).port);
    const heard = listen(server.address);
    await vi.waitFor(() => expect(heard.connections.at(-1)).toBe("open"));
    story.happen(1);
    await vi.waitFor(() => expect(heard.numbers).toEqual([1]));
    await server.close();
    await vi.waitFor(() => expect(heard.connections.at(-1)).toBe("lost"));
    await new Promise((resolve) => setTimeout(resolve, 200));
    story.happen(2);
    server = await serve((response) => json(response, {}), story.accept, port);
    await vi.waitFor(() => expect(heard.numbers).toEqual([1, 2]));
  });

  it("takes a server's new records from their beginning", async () => {
    const story = new Story();
    server = await serve((response) => json(response, {}), story.accept);
    const heard = listen(server.address);
    await vi.waitFor(() => expect(heard.connections.at(-1)).toBe("open"));
    story.happen(900);
    await vi.waitFor(() => expect(heard.numbers).toEqual([900]));
    story.stored.length = 0;
    server.sockets[0]?.terminate();
    await vi.waitFor(() => expect(server?.sockets).toHaveLength(2));
    await vi.waitFor(() => expect(heard.connections.at(-1)).toBe("open"));
    story.happen(1);
    story.happen(2);
    await vi.waitFor(() => expect(heard.numbers).toEqual([900, 1, 2]));
  });

  it("notices a dead connection when the server says something else by another way", async () => {
    server = await serve((response) => json(response, {}), new Story().accept);
    const heard = listen(server.address, { quiet: 40 }, () => Promise.resolve(3));
    await vi.waitFor(() => expect(server?.sockets.length).toBeGreaterThan(1));
    expect(heard.connections.at(-1)).toBe("open");
  });

  it("leaves a quiet connection alone when nothing happens", async () => {
    server = await serve((response) => json(response, {}), new Story().accept);
    listen(server.address, { quiet: 40 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(server.sockets).toHaveLength(1);
  });

  it("makes a new connection when what must come does not", async () => {
    server = await serve((response) => json(response, {}), new Story().accept);
    const heard = listen(server.address);
    await vi.waitFor(() => expect(heard.frames.length).toBeGreaterThan(0));
    await new Promise((resolve) => setTimeout(resolve, 5));
    socket?.expect(30);
    await vi.waitFor(() => expect(server?.sockets).toHaveLength(2));
  });

  it("gives up an attempt that takes too long", async () => {
    const { createServer } = await import("node:net");
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const port = (silent.address() as { port: number }).port;
    const heard = listen(`http://127.0.0.1:${port}`, { patience: 50 });
    await vi.waitFor(() => expect(heard.connections).toContain("lost"));
    socket?.stop();
    silent.close();
  });
});
