/** What tells one ended job from another: the title of its workflow, its text, its seed. Asked for when it is seen. */

import { create } from "zustand";

import { job as askJob } from "@/api/client";
import type { JobDetail } from "@/api/wire";
import { isNumeric, isObject, type JsonObject, type Value } from "@/graph/value";

export interface JobFacts {
  readonly title: string | null;
  /** What was drawn, in the words it was asked for. */
  readonly text: string | null;
  readonly seed: string | null;
}

/** By job id; null: it could not be had. */
export const useJobFacts = create<{ readonly facts: ReadonlyMap<string, JobFacts | null> }>()(() => ({
  facts: new Map(),
}));

/** Requests at a time: whatever else is asked must not wait for these. */
const TOGETHER = 2;
const MOST = 2000;

const waiting = new Set<string>();
let underWay = 0;

export function wantFacts(id: string): void {
  if (useJobFacts.getState().facts.has(id)) return;
  waiting.add(id);
  if (underWay < TOGETHER) void work();
}

async function work(): Promise<void> {
  underWay += 1;
  for (let id = next(); id !== undefined; id = next()) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    remember(id, await askJob(id).then(readFacts, () => null));
  }
  underWay -= 1;
}

function next(): string | undefined {
  const [id] = waiting;
  if (id !== undefined) waiting.delete(id);
  return id;
}

function remember(id: string, facts: JobFacts | null): void {
  useJobFacts.setState((state) => ({ facts: new Map([...state.facts, [id, facts] as const].slice(-MOST)) }));
}

export function readFacts({ workflow }: Pick<JobDetail, "workflow">): JobFacts {
  const prompt = workflow.prompt as JsonObject;
  const inputs = Object.values(prompt).map(inputsOf);
  const positive = inputs.map((each) => each["positive"]).find((each) => Array.isArray(each));
  const asked = Array.isArray(positive) ? inputsOf(prompt[String(positive[0])])["text"] : undefined;
  const texts = [asked, ...inputs.map((each) => each["text"])];
  const seeds = inputs.flatMap((each) => [each["seed"], each["noise_seed"]]);
  const seed = seeds.find((each) => each !== undefined && isNumeric(each));
  return {
    title: titleOf(workflow.extra_data.extra_pnginfo?.workflow as JsonObject | undefined),
    text: texts.map(textOf).find((each) => each !== null) ?? null,
    seed: seed === undefined ? null : String(seed as number | bigint),
  };
}

function titleOf(workflow: JsonObject | undefined): string | null {
  const extra = isObject(workflow?.["extra"]) ? workflow["extra"] : {};
  const names = [workflow?.["title"], workflow?.["name"], extra["title"], extra["name"]];
  return names.map(textOf).find((each) => each !== null) ?? null;
}

function inputsOf(node: Value | undefined): JsonObject {
  const inputs = isObject(node) ? node["inputs"] : null;
  return isObject(inputs) ? inputs : {};
}

function textOf(value: Value | undefined): string | null {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : null;
}
