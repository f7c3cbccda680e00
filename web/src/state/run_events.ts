/**
 * What the server's messages make of the picture of what is going on. Pure: (what is known, events) → what is known.
 *
 * Messages may come twice or again (after a reconnect, or from a job's own stream): each job remembers the number of
 * the last one it took. Many events are applied at once, and copy what they change once.
 */

import type { Message, ProgressState } from "@/api/wire";

import { IDLE, type NodeOutput, type NodeRun } from "./run";
import { type DocumentRun, Draft, type JobRun, type Runs } from "./run_draft";
import { readOutput } from "./run_output";

export { NO_RUNS, type Runs } from "./run_draft";

export type RunEvent =
  /** We know of a job: the nodes that it may run, by their execution ids. */
  | {
      readonly type: "known";
      readonly job: string;
      readonly documentId: string | null;
      readonly nodes: readonly string[];
    }
  /** `at`: when it came, in milliseconds; null when it happened at another time (it is told again). */
  | { readonly type: "message"; readonly message: Message; readonly at: number | null }
  | { readonly type: "preview"; readonly job: string; readonly node: string; readonly url: string }
  | { readonly type: "text"; readonly job: string; readonly node: string; readonly text: string }
  /** A job waits, perhaps again: what ran it is gone. */
  | { readonly type: "waits"; readonly job: string }
  /** What the server keeps of an ended job. */
  | { readonly type: "ended"; readonly job: string; readonly documentId: string; readonly end: JobEnd }
  /** A document is open no more. */
  | { readonly type: "closed"; readonly documentId: string };

export interface JobEnd {
  readonly outputs: ReadonlyMap<string, NodeOutput>;
  readonly seconds: ReadonlyMap<string, number>;
  readonly cached: ReadonlySet<string>;
  /** The node that failed. */
  readonly failed: string | null;
}

export function afterEvents(runs: Runs, events: readonly RunEvent[]): Runs {
  const draft = new Draft(runs);
  for (const event of events) apply(draft, event);
  return draft.finish();
}

/** The job that a message is about; null for those about none. */
export function jobOf({ data }: Message): string | null {
  return "prompt_id" in data && typeof data.prompt_id === "string" ? data.prompt_id : null;
}

function apply(draft: Draft, event: RunEvent): void {
  switch (event.type) {
    case "known":
      if (draft.job(event.job) === null) draft.setJob(event.job, beginning(event.documentId, event.nodes));
      return;
    case "message":
      applyMessage(draft, event.message, event.at);
      return;
    case "preview":
      showPreview(draft, event.job, event.node, event.url);
      return;
    case "text":
      showText(draft, event.job, event.node, event.text);
      return;
    case "waits":
      waitAgain(draft, event.job);
      return;
    case "ended":
      showEnd(draft, event.job, event.documentId, event.end);
      return;
    case "closed":
      draft.removeDocument(event.documentId);
  }
}

function beginning(documentId: string | null, nodes: readonly string[]): JobRun {
  return { documentId, nodes, last: 0, state: "waiting", began: new Map() };
}

function applyMessage(draft: Draft, message: Message, at: number | null): void {
  const id = jobOf(message);
  const job = id === null ? null : draft.job(id);
  if (id === null || job === null) return;
  if (message.id !== undefined) {
    if (message.id <= job.last) return;
    draft.setJob(id, { ...job, last: message.id });
  }
  if (message.type === "execution_start") start(draft, id, job);
  const run = shown(draft, id);
  if (run === null) {
    if (isEnd(message)) finish(draft, id, null);
    return;
  }
  tell(draft, id, run, message, at);
}

/** The document whose picture a job's messages change: not when a later job of it is shown, or nobody knows it. */
function shown(draft: Draft, id: string): DocumentRun | null {
  const documentId = draft.job(id)?.documentId ?? null;
  const run = documentId === null ? null : draft.document(documentId);
  return run?.job === id ? run : null;
}

function tell(draft: Draft, id: string, run: DocumentRun, message: Message, at: number | null): void {
  switch (message.type) {
    case "execution_cached":
      for (const node of message.data.nodes) draft.setNode(run, node, { state: "cached", seconds: null });
      return;
    case "executing":
      if (message.data.node === null) finish(draft, id, run);
      else begin(draft, id, run, message.data.display_node ?? screenNode(run, message.data.node), at);
      return;
    case "progress": {
      const { node, value, max } = message.data;
      draft.setNode(run, screenNode(run, node), { state: "running", value, max });
      return;
    }
    case "progress_state":
      compare(draft, id, run, message.data, at);
      return;
    case "executed":
      show(draft, id, run, message.data.display_node, message.data.output, at);
      return;
    case "execution_success":
      for (const [node, { state }] of run.nodes) if (state === "running") complete(draft, id, run, node, at);
      return;
    case "execution_error":
      if (message.data.node_id !== null) draft.setNode(run, message.data.node_id, { state: "failed", preview: null });
      return;
    default:
  }
}

// ------------------------------------------------------------------------------------------------------------ the course

/** A job that ran goes back to the queue: nothing of it is done. */
function waitAgain(draft: Draft, id: string): void {
  const job = draft.job(id);
  if (job?.state !== "running") return;
  draft.setJob(id, { ...job, state: "waiting", began: new Map() });
  const run = shown(draft, id);
  if (run !== null) for (const node of job.nodes) draft.setNode(run, node, WAITING);
}

/** A job begins, perhaps again: its nodes wait, the others have nothing to do with it. What they showed stays. */
function start(draft: Draft, id: string, { documentId, nodes }: JobRun): void {
  const job = draft.job(id);
  if (job !== null) draft.setJob(id, { ...job, state: "running", began: new Map() });
  if (documentId === null) return;
  const run = draft.show(documentId, id);
  const inJob = new Set(nodes);
  for (const node of run.nodes.keys()) if (!inJob.has(node)) draft.setNode(run, node, AT_REST);
  for (const node of nodes) draft.setNode(run, node, WAITING);
}

const AT_REST = { state: "idle", value: 0, max: 1, seconds: null, preview: null } as const;
const WAITING = { ...AT_REST, state: "waiting" } as const;

/** A node begins. Nodes run one after another, so the one before is done; where not, the next map of all says so. */
function begin(draft: Draft, id: string, run: DocumentRun, node: string, at: number | null): void {
  for (const [other, { state }] of run.nodes) {
    if (state === "running" && other !== node) complete(draft, id, run, other, at);
  }
  if (run.nodes.get(node)?.state === "running") return; // a part of a node that runs
  if (at !== null) draft.setBegan(id, node, at);
  draft.setNode(run, node, { state: "running", value: 0, max: 1, seconds: null });
}

function complete(draft: Draft, id: string, run: DocumentRun, node: string, at: number | null): void {
  const before = run.nodes.get(node);
  if (before === undefined || before.state === "done" || before.state === "cached") return;
  const began = draft.job(id)?.began.get(node);
  const seconds = at === null || began === undefined ? null : (at - began) / 1000;
  draft.setNode(run, node, { state: "done", value: before.max, seconds, preview: null });
}

/** The map of all nodes that have begun. Parts of a node count for the node on the screen. */
function compare(draft: Draft, id: string, run: DocumentRun, { nodes }: ProgressState, at: number | null): void {
  const told = new Map<string, { state: string; value: number; max: number }>();
  for (const { display_node_id: node, state, value, max } of Object.values(nodes)) {
    if (told.get(node)?.state !== "running") told.set(node, { state, value, max });
  }
  for (const [node, { state, value, max }] of told) {
    if (state === "running") {
      if (draft.job(id)?.began.has(node) === false && at !== null) draft.setBegan(id, node, at);
      draft.setNode(run, node, { state: "running", value, max });
    } else if (state === "finished") {
      draft.setNode(run, node, { max });
      complete(draft, id, run, node, at);
    } // "error": the run is over before the node was; the next message says why
  }
}

function show(
  draft: Draft,
  id: string,
  run: DocumentRun,
  node: string,
  ui: Readonly<Record<string, unknown>> | null,
  at: number | null,
): void {
  if (ui !== null) draft.setNode(run, node, { output: readOutput(ui) });
  if (run.nodes.get(node)?.state === "running") complete(draft, id, run, node, at);
}

/** The last message of a job: what has not run will not. */
function finish(draft: Draft, id: string, run: DocumentRun | null): void {
  for (const [node, { state, preview }] of run?.nodes ?? []) {
    if (run === null) continue;
    if (state === "waiting" || state === "running") draft.setNode(run, node, AT_REST);
    else if (preview !== null) draft.setNode(run, node, { preview: null });
  }
  const job = draft.job(id);
  if (job !== null) draft.setJob(id, { ...job, state: "ended", nodes: [], began: new Map() });
}

function isEnd(message: Message): boolean {
  return message.type === "executing" && message.data.node === null;
}

/** The node on the screen for one that a node has put into the graph: "3.0.0.1" is a part of "3". */
function screenNode(run: DocumentRun, node: string): string {
  return run.nodes.has(node) ? node : (node.split(".")[0] ?? node);
}

// ------------------------------------------------------------------------------------------- what comes beside messages

function showPreview(draft: Draft, id: string, node: string, url: string): void {
  const run = shown(draft, id);
  const before = run?.nodes.get(node);
  // One that comes after its node is done would stay for ever.
  if (run !== null && before?.state === "running") draft.setNode(run, node, { preview: url });
}

function showText(draft: Draft, id: string, node: string, text: string): void {
  const run = shown(draft, id);
  if (run === null) return;
  const at = screenNode(run, node);
  const before = run.nodes.get(at) ?? IDLE;
  const output = before.output ?? { pictures: [], texts: [], isAnimated: false };
  draft.setNode(run, at, { output: { ...output, texts: [text] } });
}

/** What the server keeps of an ended job: the whole picture when nothing newer is shown, else what is missing in it. */
function showEnd(draft: Draft, id: string, documentId: string, end: JobEnd): void {
  const run = draft.document(documentId) ?? draft.show(documentId, id);
  const isNewest = run.job === id && draft.job(id)?.state !== "running";
  for (const [node, output] of end.outputs) {
    if (isNewest || (run.nodes.get(node)?.output ?? null) === null) draft.setNode(run, node, { output });
  }
  if (!isNewest) return;
  for (const [node, seconds] of end.seconds) {
    if (!end.cached.has(node) && node !== end.failed) draft.setNode(run, node, doneIn(seconds, run.nodes.get(node)));
  }
  for (const node of end.cached) draft.setNode(run, node, { state: "cached", seconds: null });
  if (end.failed !== null) draft.setNode(run, end.failed, { state: "failed", preview: null });
}

function doneIn(seconds: number, before: NodeRun = IDLE): Partial<NodeRun> {
  return { state: "done", value: before.max, seconds, preview: null };
}
