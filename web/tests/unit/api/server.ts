/** A small server that answers as a test says, with sockets. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { type WebSocket as ServerSocket, WebSocketServer } from "ws";

export interface TestServer {
  readonly address: string;
  readonly requests: {
    readonly method: string;
    readonly url: string;
    readonly body: string;
    readonly headers: IncomingMessage["headers"];
  }[];
  readonly sockets: ServerSocket[];
  close(): Promise<void>;
}

type Answer = (response: ServerResponse, url: string, body: string) => void;

export async function serve(
  answer: Answer,
  onSocket: (socket: ServerSocket, url: string) => void = () => undefined,
  port = 0,
): Promise<TestServer> {
  const requests: TestServer["requests"] = [];
  const sockets: ServerSocket[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      requests.push({ method: request.method ?? "", url: request.url ?? "", body, headers: request.headers });
      answer(response, request.url ?? "", body);
    });
  });
  const upgrading = new WebSocketServer({ server });
  upgrading.on("connection", (socket, request) => {
    sockets.push(socket);
    onSocket(socket, request.url ?? "");
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async () => {
    for (const each of sockets) each.terminate();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { address, requests, sockets, close };
}

export function json(
  response: ServerResponse,
  value: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(typeof value === "string" ? value : JSON.stringify(value));
}
