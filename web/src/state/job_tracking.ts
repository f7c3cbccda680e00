/**
 * Who each message is about: which document a job was made from and which nodes it has. Jobs that began before we
 * listened, or that somebody else sent, are followed by a stream of their own from their beginning.
 */

import { job as askJob, jobs as askJobs } from "@/api/client";
import { followJob, isEnd } from "@/api/job_events";
import type { ExecutionError, JobDetail, Message } from "@/api/wire";

import { changeActive, refreshActive } from "./active_jobs";
import { nodesOf, readEnd } from "./jobs";
import { type Problem, setProblems, useProblems } from "./problems";
import { useRun } from "./run";
import { jobOf } from "./run_events";
import { feed } from "./run_feed";
import { problemOfRun } from "./run_problems";
import { tabOfDocument } from "./workbench";

/** Streams at a time: browsers open six connections to a server, and others need some. */
const MOST_STREAMS = 3;
/** Milliseconds between two questions for what ended jobs leave. */
const PAUSE = 250;
/** Milliseconds in which the messages about the end of a job arrive that is gone from the list. */
const LATE = 1000;
/** Jobs that are remembered, more than a Run×9999 and what it leaves behind; others are asked for again. */
const MOST_KNOWN = 20_000;

/** Jobs whose document and nodes are known, by id; null: of no document. */
const documents = new Map<string, string | null>();
/** Jobs that were told to us from their beginning. */
const told = new Set<string>();
const over = new Set<string>();
/** Messages about jobs that are being asked for. */
const held = new Map<string, Message[]>();
const followed = new Map<string, AbortController>();
/** The last job of each document that ended and whose results are to be asked for. */
const toShow = new Map<string, string>();
let isShowing = false;

/** A job that we send: its messages come to us from its beginning. */
export function introduce(id: string, documentId: string | null, nodes: readonly string[]): void {
  remember(told, id);
  know(id, documentId, nodes);
}

/** A message of the socket. */
export function hear(message: Message): void {
  const id = jobOf(message);
  if (id === null || followed.has(id)) return;
  if (documents.has(id)) {
    tell(id, message, Date.now());
    return;
  }
  const waiting = held.get(id);
  waiting?.push(message);
  if (waiting === undefined) {
    held.set(id, [message]);
    void learn(id);
  }
}

/** Which of the jobs that run are not told to us: those of open documents are followed. */
export function followUntold(): void {
  for (const { id, status, documentId } of useRun.getState().active) {
    if (status !== "in_progress" || documentId === null || told.has(id) || held.has(id)) continue;
    if (tabOfDocument(documentId) !== null) void follow(id);
  }
}

/** Which jobs wait: one that ran before goes back to the beginning when its worker, or the server, went down. */
export function noticeWaiting(): void {
  for (const { id, status } of useRun.getState().active) if (status === "pending") feed({ type: "waits", job: id });
}

/** Jobs that neither run nor wait any more. What was told of their end comes by itself; else they end here. */
export function noticeGone(ids: readonly string[]): void {
  setTimeout(() => {
    for (const id of ids) if (!over.has(id)) tell(id, endOf(id), null);
  }, LATE);
}

/** Shows what the last jobs of a document left, as the server keeps it. */
export async function restore(documentId: string): Promise<void> {
  const page = await askJobs({ statuses: ["completed", "failed", "cancelled"], workflowId: documentId, limit: 5 });
  const last = page.jobs[0];
  const shown = page.jobs.find((each) => each.outputs_count > 0);
  // The older one last: it fills only what the newer one leaves empty.
  for (const each of new Set([last, shown])) if (each !== undefined) await showEnd(documentId, each.id);
}

/** Stops following the jobs of a document that is closed. */
export function leaveDocument(documentId: string): void {
  for (const [id, controller] of followed) if (documents.get(id) === documentId) controller.abort();
  feed({ type: "closed", documentId });
}

// -------------------------------------------------------------------------------------------------------------- learning

function know(id: string, documentId: string | null, nodes: readonly string[]): void {
  documents.set(id, documentId);
  forgetOldest(documents);
  feed({ type: "known", job: id, documentId, nodes });
}

function remember(ids: Set<string>, id: string): void {
  ids.add(id);
  forgetOldest(ids);
}

function forgetOldest(ids: Set<string> | Map<string, unknown>): void {
  for (const id of ids.keys()) {
    if (ids.size <= MOST_KNOWN) return;
    ids.delete(id);
  }
}

/** Asks what a job is that we are told about. Returns: whether it is known now. */
async function learn(id: string): Promise<void> {
  const detail = await askJob(id).catch(() => null);
  const messages = held.get(id) ?? [];
  held.delete(id);
  if (detail === null) return;
  know(id, detail.workflow_id ?? null, nodesOf(detail));
  if (messages[0]?.type === "execution_start") for (const each of messages) tell(id, each, null);
  else void follow(id);
}

async function follow(id: string): Promise<void> {
  if (followed.has(id) || followed.size >= MOST_STREAMS) return;
  const controller = new AbortController();
  followed.set(id, controller);
  try {
    if (!documents.has(id)) await introduceDetail(id);
    await followJob(id, (message) => tell(id, message, null), controller.signal);
  } catch {
    // the server is away: what is active is asked for again when it is back
  } finally {
    followed.delete(id);
  }
}

async function introduceDetail(id: string): Promise<void> {
  const detail = await askJob(id);
  know(id, detail.workflow_id ?? null, nodesOf(detail));
}

// --------------------------------------------------------------------------------------------------------------- telling

function tell(id: string, message: Message, at: number | null): void {
  feed({ type: "message", message, at });
  const documentId = documents.get(id) ?? null;
  if (message.type === "execution_start") begin(id, documentId);
  else if (message.type === "execution_error" && documentId !== null) addProblem(documentId, message.data);
  else if (isEnd(message)) end(id, documentId);
}

function begin(id: string, documentId: string | null): void {
  remember(told, id);
  if (documentId !== null) keepProblems(documentId, (each) => each.from !== "run");
  changeActive((active) =>
    active.map((each) => (each.id === id ? { ...each, status: "in_progress", started: Date.now() } : each)),
  );
}

function end(id: string, documentId: string | null): void {
  if (over.has(id)) return;
  remember(over, id);
  changeActive((active) => active.filter((each) => each.id !== id));
  useRun.setState(({ ended }) => ({ ended: ended + 1 }));
  void refreshActive();
  if (documentId !== null && tabOfDocument(documentId) !== null) {
    toShow.set(documentId, id);
    void showEnds();
  }
}

function endOf(id: string): Message {
  return { type: "executing", data: { node: null, prompt_id: id } };
}

/** Asks for the results of jobs that ended: their exact times, and what was not told. */
async function showEnds(): Promise<void> {
  if (isShowing) return;
  isShowing = true;
  for (let next = takeOne(toShow); next !== null; next = takeOne(toShow)) {
    await showEnd(...next).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  isShowing = false;
}

async function showEnd(documentId: string, id: string): Promise<void> {
  const detail: JobDetail = await askJob(id);
  if (tabOfDocument(documentId) === null) return;
  feed({ type: "ended", job: id, documentId, end: readEnd(detail) });
}

function takeOne<K, V>(map: Map<K, V>): [K, V] | null {
  const first = map.entries().next();
  if (first.done === true) return null;
  map.delete(first.value[0]);
  return first.value;
}

// -------------------------------------------------------------------------------------------------------------- problems

function addProblem(documentId: string, error: ExecutionError): void {
  const problem = problemOfRun(error);
  const before = useProblems.getState().problems.get(documentId) ?? [];
  if (before.some((each) => each.from === "run" && each.node === problem.node && each.message === problem.message))
    return;
  setProblems(documentId, [...before, problem]);
}

function keepProblems(documentId: string, keep: (problem: Problem) => boolean): void {
  const before = useProblems.getState().problems.get(documentId) ?? [];
  const after = before.filter(keep);
  if (after.length < before.length) setProblems(documentId, after);
}
