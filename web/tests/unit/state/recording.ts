/** What a real server said about a job, recorded on 2026-11-22 (progress thinned out). */

import { readFileSync } from "node:fs";

import { isObject, parse } from "@/json/exact";
import { messageOf } from "@/api/frames";
import type { JobDetail, Message } from "@/api/wire";
import { nodesOf } from "@/state/jobs";
import { afterEvents, NO_RUNS, type RunEvent, type Runs } from "@/state/run_events";
import type { NodeRun } from "@/state/run";

export const DOCUMENT = "doc-1";
export const RECORDINGS = ["text_to_image", "other_prefix", "cancelled", "failed", "restarted"] as const;

export interface Recording {
  readonly messages: readonly Message[];
  readonly job: JobDetail;
}

export function recording(name: (typeof RECORDINGS)[number]): Recording {
  const file = parse(readFileSync(new URL(`recordings/${name}.json`, import.meta.url), "utf8"));
  if (!isObject(file) || !Array.isArray(file["messages"])) throw new Error(`${name}: not a recording`);
  const messages = file["messages"].flatMap((each) => {
    const { type, data, id } = each as { type: string; data: never; id: number };
    return messageOf(type, data, id) ?? [];
  });
  return { messages, job: file["job"] as unknown as JobDetail };
}

export function known({ job }: Recording): RunEvent {
  return { type: "known", job: job.id, documentId: DOCUMENT, nodes: nodesOf(job) };
}

export function told(messages: readonly Message[], at: number | null = null): RunEvent[] {
  return messages.map((message) => ({ type: "message", message, at }));
}

/** The state after events that came one by one, as slow as they can. */
export function oneByOne(events: readonly RunEvent[], runs: Runs = NO_RUNS): Runs {
  return events.reduce((before, event) => afterEvents(before, [event]), runs);
}

export function nodesIn(runs: Runs): ReadonlyMap<string, NodeRun> {
  return runs.documents.get(DOCUMENT)?.nodes ?? new Map<string, NodeRun>();
}

export function statesIn(runs: Runs): Record<string, string> {
  return Object.fromEntries([...nodesIn(runs)].map(([id, { state }]) => [id, state]));
}
