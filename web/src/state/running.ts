/** Running workflows and what runs: what the Run button, the queue panel and their commands do. */

import { cancelJob, clearQueue, interrupt, moveJob } from "@/api/client";
import { asFailure, type Failure } from "@/api/failure";
import type { Document } from "@/graph/document";
import { stuckInputs } from "@/graph/edits/advance_controls";
import type { NodeTypes } from "@/graph/node_type";
import { checkDocument, type Finding } from "@/graph/rules";
import { lookUp, plural, t } from "@/texts/index";

import { changeActive, refreshActive } from "./active_jobs";
import { carryValues } from "./carry_values";
import { introduce } from "./job_tracking";
import { loadNodeTypes, nodeTypes, useNodeTypes } from "./node_types";
import { RUN_TOPIC, setProblems, useProblems } from "./problems";
import { type Job, useRun } from "./run";
import { Batch } from "./run_batch";
import { problemOfFinding, problemsOfNodes, problemsOfRefusal, sentenceOf } from "./run_problems";
import { clientId, expectNews } from "./session";
import { toast, withdraw } from "./toasts";
import { activeTab, edit, settle, type Tab, useWorkbench } from "./workbench";

interface RunOptions {
  readonly times?: number;
  /** Only these output nodes, by their execution ids. */
  readonly targets?: readonly string[];
  /** Before everything that waits. */
  readonly front?: boolean;
}

/** How it went; what went wrong has been said already. */
type RunResult = "queued" | "problems" | "failed" | "nothing";

/** Milliseconds that a run waits for the choices to be read anew. */
const PATIENCE = 3000;

/** Runs wait for each other: the next one begins with the seeds that the one before leaves. */
let last: Promise<unknown> = Promise.resolve();
/** What stops each run that is being sent or waits for that, and the document that it is of. */
const sending = new Map<AbortController, string>();

/** Queues the workflow that is shown. */
export function run(options: RunOptions = {}): Promise<RunResult> {
  const tab = activeTab();
  if (tab === null) return Promise.resolve(nothing());
  const stopper = new AbortController();
  return inTurn(stopper, tab.history.present.id, () => runTab(tab.id, options, stopper));
}

function inTurn(stopper: AbortController, documentId: string, work: () => Promise<RunResult>): Promise<RunResult> {
  sending.set(stopper, documentId);
  const result = last.then(() => (stopper.signal.aborted ? "nothing" : work()));
  last = result.catch(() => undefined).finally(() => sending.delete(stopper));
  return result;
}

/** Sends no more of a document's runs; null: of any. Returns: when that is so; null where nothing was being sent. */
function stopSending(documentId: string | null): Promise<unknown> | null {
  const stopped = [...sending].filter(([, each]) => documentId === null || each === documentId);
  for (const [stopper] of stopped) stopper.abort();
  return stopped.length > 0 ? last : null;
}

function nothing(): RunResult {
  toast("info", t("running.nothing"));
  return "nothing";
}

async function runTab(id: string, options: RunOptions, stopper: AbortController): Promise<RunResult> {
  const tab = tabWith(id);
  if (tab === null) return nothing();
  if (nodeTypes().size === 0) {
    toast("warning", t("running.not_ready"), { detail: useNodeTypes.getState().message });
    return "failed";
  }
  withdraw(RUN_TOPIC);
  const document = tab.history.present;
  const findings = await findingsOf(document, options);
  setProblems(document.id, findings.map(problemOfFinding));
  if (findings.length > 0) {
    toast("error", plural("running.problems", findings.length), { topic: RUN_TOPIC });
    return "problems";
  }
  return send(tab, batchOf(document, nodeTypes(), options, stopper.signal), stopper);
}

/** What is wrong. A file that is not among the choices may have come after they were read: they are read once more. */
async function findingsOf(document: Document, { targets }: RunOptions): Promise<readonly Finding[]> {
  const look = () => checkDocument(document, nodeTypes(), targets && new Set(targets));
  const findings = look();
  if (!findings.some(({ reason }) => reason.code === "reason.not_a_choice")) return findings;
  await Promise.race([loadNodeTypes(), new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
  return look();
}

function batchOf(document: Document, types: NodeTypes, options: RunOptions, signal: AbortSignal): Batch {
  const { times = 1, targets, front = false } = options;
  return new Batch({
    document,
    types,
    clientId: clientId(),
    times: Math.max(1, Math.floor(times)),
    targets: targets ?? null,
    front,
    signal,
    onMade: ({ id, nodes }) => introduce(id, document.id, nodes),
  });
}

// -------------------------------------------------------------------------------------------------------------- sending

async function send(tab: Tab, batch: Batch, stopper: AbortController): Promise<RunResult> {
  const before = batch.after;
  const result = await batch.send();
  takeOn(tab, before, batch.after);
  if (batch.sent > 0) {
    expectNews();
    void refreshActive();
    tellStuck(batch.lastSent);
  }
  const documentId = before.id;
  if (result.kind === "sent") {
    addProblems(documentId, problemsOfNodes(batch.answer?.node_errors));
    return "queued";
  }
  if (result.kind === "stopped") return batch.sent > 0 ? "queued" : "nothing";
  if (result.kind === "unconvertible") {
    toast("error", lookUp(result.reason.code, result.reason.words));
    return "failed";
  }
  return complain(tab, batch, stopper, result.failure);
}

/** A seed that can go no further makes every run the same, which nobody would see. */
function tellStuck(document: Document): void {
  const names = stuckInputs(document, nodeTypes());
  if (names.length > 0) toast("warning", t("running.at_end", { inputs: names.join(", ") }), { topic: RUN_TOPIC });
}

/** Records the seeds that were taken on, as one edit; what was edited meanwhile stays. */
function takeOn(tab: Tab, before: Document, after: Document): void {
  settle(tab.id);
  edit("edit.after_run", (current) => carryValues(current, before, after), { tab: tab.id });
}

function complain(tab: Tab, batch: Batch, stopper: AbortController, failure: Failure): RunResult {
  const documentId = batch.after.id;
  const wasRefused = failure.kind === "refused" || failure.kind === "tooLarge";
  if (wasRefused) {
    const problems = problemsOfRefusal(failure);
    addProblems(documentId, problems);
    toast("error", t("running.refused"), { detail: problems[0]?.message ?? failure.message, topic: RUN_TOPIC });
    return "problems";
  }
  const partly = batch.sent > 0 ? t("running.partly", { sent: batch.sent, count: batch.times }) : "";
  const sendAgain = () => inTurn(stopper, documentId, () => send(tab, batch, stopper));
  const again = { label: t("running.try_again"), run: () => void sendAgain() };
  toast("error", sentenceOf(failure), { detail: [partly, failure.message].filter(Boolean).join(" "), action: again });
  return "failed";
}

function addProblems(documentId: string, problems: Parameters<typeof setProblems>[1]): void {
  if (problems.length === 0) return;
  setProblems(documentId, [...(useProblems.getState().problems.get(documentId) ?? []), ...problems]);
}

function tabWith(id: string): Tab | null {
  return useWorkbench.getState().tabs.find((each) => each.id === id) ?? null;
}

// -------------------------------------------------------------------------------------------------- what runs and waits

/** Stops the job of the workflow that is shown and sends no more of it; where none of it runs, whatever runs. */
export function stop(): Promise<boolean> {
  const documentId = activeTab()?.history.present.id;
  if (documentId !== undefined) void stopSending(documentId);
  const running = useRun.getState().active.filter((each) => each.status === "in_progress");
  const own = running.find((each) => each.documentId === documentId);
  return attempt(() => (own === undefined ? interrupt() : cancelJob(own.id)));
}

/** Cancels a job that waits or runs. */
export function cancel(id: string): Promise<boolean> {
  changeActive((active) => active.filter((each) => each.id !== id || each.status === "in_progress"));
  return attempt(() => cancelJob(id));
}

/** Takes out everything that waits, and sends no more; what came while that was done is taken out then. */
export async function clearWaiting(): Promise<boolean> {
  const sent = stopSending(null);
  changeActive((active) => active.filter((each) => each.status === "in_progress"));
  useRun.setState({ more: 0 });
  const isCleared = await attempt(clearQueue);
  if (sent === null || !isCleared) return isCleared;
  await sent;
  return attempt(clearQueue);
}

/** Puts a waiting job before another one; null: behind all. */
export function move(id: string, before: string | null): Promise<boolean> {
  changeActive((active) => moved(active, id, before));
  return attempt(() => moveJob(id, before));
}

/** The jobs in their new order, with a number between those of its neighbours. */
function moved(active: readonly Job[], id: string, before: string | null): readonly Job[] {
  const waiting = active.filter((each) => each.status === "pending" && each.id !== id);
  const place = before === null ? waiting.length : waiting.findIndex((each) => each.id === before);
  if (place < 0) return active;
  const [above, below] = [waiting[place - 1]?.number, waiting[place]?.number];
  const number = ((above ?? (below ?? 0) - 2) + (below ?? (above ?? 0) + 2)) / 2;
  return active.map((each) => (each.id === id ? { ...each, number } : each));
}

/** Does what the server shall do, and asks it for the jobs. Returns: whether it worked; where not, that was said. */
async function attempt(request: () => Promise<unknown>): Promise<boolean> {
  try {
    await request();
    return true;
  } catch (error) {
    const failure = asFailure(error);
    // What was to be changed has begun or ended meanwhile.
    if (failure.kind === "conflict" || failure.kind === "notFound") toast("info", t("running.too_late"));
    else toast("error", sentenceOf(failure), { detail: failure.message });
    return false;
  } finally {
    void refreshActive();
  }
}
