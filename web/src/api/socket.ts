/**
 * The connection on which the server tells what happens. It comes back by itself, asks for what it missed, and notices
 * when the other end is gone without a word.
 */

import { type Frame, readBinary, readText } from "./frames";
import { heard, type Numbering, reconnected, UNNUMBERED } from "./numbering";

export type Connection = "connecting" | "open" | "lost";

interface SocketOptions {
  /** The address; `since`: the last number we have. */
  readonly address: (since: number | null) => string;
  readonly onFrame: (frame: Frame) => void;
  readonly onConnection: (connection: Connection) => void;
  /** Asks by another way how many jobs wait or run: the socket has been told the same, or it is dead. */
  readonly remaining: () => Promise<number>;
  readonly pace?: Partial<Pace>;
}

/** Milliseconds. */
export interface Pace {
  /** Before the first attempt to come back, doubled until `slowest`. */
  readonly first: number;
  readonly slowest: number;
  /** How long an attempt may take. */
  readonly patience: number;
  /** Silence after which we look whether anybody is there. */
  readonly quiet: number;
}

const PACE: Pace = { first: 300, slowest: 10_000, patience: 10_000, quiet: 20_000 };

/** What we say first: which frames we understand. */
const FLAGS = { supports_preview_metadata: true, supports_progress_text_metadata: true };

export class Socket {
  private readonly pace: Pace;
  private ws: WebSocket | null = null;
  private numbering: Numbering = UNNUMBERED;
  private hasPromptInTexts = false;
  private failures = 0;
  private lastHeard = 0;
  private lastTick = 0;
  private lastCount: number | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private ticking: ReturnType<typeof setInterval> | undefined;
  private isStopped = false;

  constructor(private readonly options: SocketOptions) {
    this.pace = { ...PACE, ...options.pace };
  }

  start(): void {
    this.options.onConnection("connecting");
    this.lastTick = Date.now();
    this.ticking = setInterval(() => this.tick(), this.pace.quiet / 4);
    this.connect();
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.retry);
    clearInterval(this.ticking);
    this.leave();
  }

  /** Comes back now, if it is away: the network is there again, or somebody looks. */
  hurry(): void {
    if (this.ws === null) this.connect();
    else void this.check();
  }

  /** A new connection in place of this one. Nothing is lost by it but previews. */
  renew(): void {
    if (this.isStopped) return;
    this.leave();
    this.connect();
  }

  /** Something is about to be told (a job was queued): when nothing comes, the connection is dead. */
  expect(within = this.pace.quiet / 4): void {
    const asked = Date.now();
    setTimeout(() => {
      if (this.ws?.readyState === OPEN && this.lastHeard < asked) this.renew();
    }, within);
  }

  private connect(): void {
    if (this.isStopped) return;
    clearTimeout(this.retry);
    this.numbering = reconnected(this.numbering);
    this.lastCount = null;
    const ws = new WebSocket(this.options.address(this.numbering.last));
    ws.binaryType = "arraybuffer";
    this.ws = ws;
    const patience = setTimeout(() => this.lose(ws), this.pace.patience);
    ws.addEventListener("open", () => {
      clearTimeout(patience);
      if (ws === this.ws) this.open(ws);
    });
    ws.addEventListener("message", (event) => {
      if (ws === this.ws) this.hear(event.data);
    });
    ws.addEventListener("error", () => undefined); // its close says the same
    ws.addEventListener("close", () => {
      clearTimeout(patience);
      this.lose(ws);
    });
  }

  private open(ws: WebSocket): void {
    ws.send(JSON.stringify({ type: "feature_flags", data: FLAGS }));
    this.failures = 0;
    this.lastHeard = Date.now();
    this.options.onConnection("open");
  }

  private hear(data: unknown): void {
    this.lastHeard = Date.now();
    if (data instanceof ArrayBuffer) {
      const frame = readBinary(data, this.hasPromptInTexts);
      if (frame !== null) this.options.onFrame(frame);
      return;
    }
    const message = typeof data === "string" ? readText(data) : null;
    if (message === null) return;
    if (message.id !== undefined) {
      const numbering = heard(this.numbering, message.id);
      if (numbering === null) return;
      this.numbering = numbering;
    }
    if (message.type === "feature_flags") this.hasPromptInTexts = message.data.supports_progress_text_metadata === true;
    if (message.type === "status") this.lastCount = message.data.status.exec_info.queue_remaining;
    this.options.onFrame(message);
  }

  /** A connection is gone; another attempt follows, later and later. */
  private lose(ws: WebSocket): void {
    if (ws !== this.ws || this.isStopped) return;
    this.leave();
    this.options.onConnection("lost");
    const { first, slowest } = this.pace;
    const wait = Math.min(slowest, first * 2 ** this.failures);
    this.failures += 1;
    // Not all pages at once, when a server comes back.
    this.retry = setTimeout(() => this.connect(), wait * (0.75 + Math.random() / 4));
  }

  private leave(): void {
    const ws = this.ws;
    this.ws = null;
    clearTimeout(this.retry);
    ws?.close();
  }

  private tick(): void {
    const now = Date.now();
    const hasSlept = now - this.lastTick > 2 * this.pace.quiet;
    this.lastTick = now;
    if (this.ws?.readyState !== OPEN) return;
    if (hasSlept) this.renew();
    else if (now - this.lastHeard > this.pace.quiet) void this.check();
  }

  /** Compares what the socket was told with what the server says by another way. */
  private async check(): Promise<void> {
    const ws = this.ws;
    if (ws?.readyState !== OPEN) return;
    const asked = Date.now();
    const count = await this.options.remaining().catch(() => null);
    if (ws !== this.ws || this.lastHeard > asked) return;
    if (count === null || (this.lastCount !== null && count !== this.lastCount)) this.renew();
    else this.lastHeard = asked;
  }
}

const OPEN = 1; // WebSocket.OPEN, which Node has not
