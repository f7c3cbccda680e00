/** The server's jobs as the editor shows them. Pure. */

import type * as wire from "@/api/wire";

import type { Job } from "./run";
import type { JobEnd } from "./run_events";
import { pictureIn, readOutput } from "./run_output";

export function readJob(job: wire.Job): Job {
  return {
    id: job.id,
    status: job.status,
    documentId: job.workflow_id ?? null,
    number: job.priority,
    created: job.create_time,
    started: job.execution_start_time ?? null,
    ended: job.execution_end_time ?? null,
    preview: pictureIn(job.preview_output),
    outputs: job.outputs_count,
    error: job.execution_error === undefined ? null : sentence(job.execution_error.exception_message),
  };
}

/** Running first, then waiting in the order they will run. */
export function inOrder(jobs: readonly Job[]): Job[] {
  return jobs.toSorted((a, b) => rank(a) - rank(b) || a.number - b.number || a.created - b.created);
}

function rank({ status }: Job): number {
  return status === "in_progress" ? 0 : 1;
}

/** What an ended job leaves in its document's picture. */
export function readEnd(job: wire.JobDetail): JobEnd {
  const status = "execution_status" in job ? job.execution_status : undefined;
  const outputs = Object.entries(job.outputs).map(([node, ui]) => [node, readOutput(ui)] as const);
  const seconds = new Map<string, number>();
  for (const each of status?.timings ?? []) {
    seconds.set(each.display_node, (seconds.get(each.display_node) ?? 0) + each.seconds);
  }
  // The node in which it was stopped took its time too, but is not done.
  seconds.delete(stoppedNode(status) ?? "");
  return { outputs: new Map(outputs), seconds, cached: cachedIn(status), failed: failedNode(job) };
}

/** The nodes of a job that it may run. */
export function nodesOf(job: wire.JobDetail): string[] {
  return Object.keys(job.workflow.prompt);
}

/** The first line of an error: what people read in a list. */
function sentence(text: string): string {
  return text.trim().split("\n", 1)[0] ?? "";
}

function cachedIn(status: wire.JobEnd | undefined): ReadonlySet<string> {
  const told = status?.messages.find(([type]) => type === "execution_cached")?.[1]["nodes"];
  return new Set(Array.isArray(told) ? told.filter((each) => typeof each === "string") : []);
}

/** The node on the screen that ran when the job was cancelled. */
function stoppedNode(status: wire.JobEnd | undefined): string | null {
  const told = status?.messages.find(([type]) => type === "execution_interrupted")?.[1]["node_id"];
  return typeof told === "string" ? (told.split(".")[0] ?? null) : null;
}

function failedNode(job: wire.JobDetail): string | null {
  return job.status === "failed" ? (job.execution_error?.node_id ?? null) : null;
}
