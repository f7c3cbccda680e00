/** A real server with the real model, in a folder of its own, that a test may kill and start again. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "../../..");
const PATIENCE = 90_000;

export class Server {
  private process: ChildProcess | null = null;
  private said = "";

  private constructor(
    readonly folder: string,
    readonly port: number,
    private readonly options: readonly string[],
  ) {}

  static start(...options: string[]): Promise<Server> {
    return Server.startIn(() => undefined, ...options);
  }

  /** `prepare` puts into its folder what is to be there when it starts. */
  static async startIn(prepare: (folder: string) => void, ...options: string[]): Promise<Server> {
    const server = new Server(mkdtempSync(join(tmpdir(), "latentwire-browser-")), await freePort(), options);
    prepare(server.folder);
    await server.start();
    return server;
  }

  get address(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it and waits until a worker has said which nodes there are. */
  async start(): Promise<void> {
    const command = ["main.py", "serve", "--port", String(this.port), "--base-directory", this.folder, ...this.options];
    const child = spawn(python(), command, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    this.process = child;
    const listen = (bytes: Buffer) => (this.said = (this.said + bytes.toString()).slice(-20_000));
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${this.said}`);
      return (await fetch(`${this.address}/api/object_info`).catch(() => null))?.ok ?? false;
    }, "the server to be ready");
  }

  /** Ends it as a crash does (SIGKILL), or politely; resolves when it is gone. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((settle) => child.once("exit", settle));
    child.kill(signal);
    await gone;
    this.process = null;
  }

  async stop(): Promise<void> {
    await this.kill("SIGTERM");
    rmSync(this.folder, { recursive: true, force: true });
  }

  async json<T>(path: string, init?: RequestInit): Promise<T> {
    const answer = await fetch(`${this.address}${path}`, init);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }
}

/** Waits until something is so, and says what it waited for when it never is. */
export async function eventually(
  condition: () => Promise<boolean> | boolean,
  what: string,
  patience = PATIENCE,
): Promise<void> {
  const end = Date.now() + patience;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${patience / 1000} s for ${what}`);
    await new Promise((wait) => setTimeout(wait, 100));
  }
}

export function python(): string {
  const own = join(ROOT, ".venv/bin/python");
  return process.env["PYTHON"] ?? (existsSync(own) ? own : "python3");
}

function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const probe = createServer();
    probe.once("error", failed);
    probe.listen(0, "127.0.0.1", () => {
      const place = probe.address();
      probe.close(() =>
        typeof place === "object" && place !== null ? found(place.port) : failed(new Error("no port")),
      );
    });
  });
}
