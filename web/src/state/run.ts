/**
 * What is going on: the jobs of this server, and what each node of each workflow is doing or has drawn. Components read
 * here; `state/session.ts` writes what the socket and the server's answers say.
 */

import { create } from "zustand";

/** A file that a node made, as `/view` finds it. */
export interface Picture {
  readonly filename: string;
  readonly subfolder: string;
  readonly type: "output" | "input" | "temp";
}

/** What a node shows after it ran: the `ui` part of its result. */
export interface NodeOutput {
  readonly pictures: readonly Picture[];
  readonly texts: readonly string[];
  /** Whether the pictures are frames to be played. */
  readonly isAnimated: boolean;
}

export interface NodeRun {
  readonly state: "idle" | "waiting" | "cached" | "running" | "done" | "failed";
  readonly value: number;
  readonly max: number;
  /** How long it took; null while it runs or when it did not. */
  readonly seconds: number | null;
  /** An address of the newest preview while it runs (an object URL); null without one. */
  readonly preview: string | null;
  readonly output: NodeOutput | null;
}

export const IDLE: NodeRun = { state: "idle", value: 0, max: 1, seconds: null, preview: null, output: null };

type JobStatus = "pending" | "in_progress" | "completed" | "failed" | "cancelled";

export interface Job {
  readonly id: string;
  readonly status: JobStatus;
  /** The document it was made from, `Document.id`; null when it came from elsewhere. */
  readonly documentId: string | null;
  readonly number: number;
  readonly created: number;
  readonly started: number | null;
  readonly ended: number | null;
  /** A picture to show for it. */
  readonly preview: Picture | null;
  readonly outputs: number;
  /** One sentence, for failed jobs. */
  readonly error: string | null;
}

export interface RunState {
  readonly connection: "connecting" | "open" | "lost";
  /** Running first, then waiting in the order they will run. */
  readonly active: readonly Job[];
  /** How many others wait behind those. */
  readonly more: number;
  /** By document id, then by execution id. */
  readonly nodes: ReadonlyMap<string, ReadonlyMap<string, NodeRun>>;
  /** Rises when jobs have ended: what lists ended jobs or pictures asks again then. */
  readonly ended: number;
}

export const useRun = create<RunState>()(() => ({
  connection: "connecting",
  active: [],
  more: 0,
  nodes: new Map(),
  ended: 0,
}));

export function useNodeRun(documentId: string, executionId: string): NodeRun {
  return useRun((state) => state.nodes.get(documentId)?.get(executionId) ?? IDLE);
}
