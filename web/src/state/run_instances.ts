/**
 * What the box of a sub-graph's instance shows: the sum of what happens inside it. The nodes inside have ids that begin
 * with the instance's, "57:8" inside "57". Pure.
 */

import { IDLE, type NodeOutput, type NodeRun } from "./run";

/** The instances that a node is inside of, the innermost first: "1:57:8" is inside "1:57" and "1". */
export function instancesAround(id: string): string[] {
  const around: string[] = [];
  for (let end = id.lastIndexOf(":"); end > 0; end = id.lastIndexOf(":", end - 1)) around.push(id.slice(0, end));
  return around;
}

/** Failed if any failed, running if any runs or some are done while others wait, with the progress of all together. */
export function sumOf(inside: readonly NodeRun[]): NodeRun {
  const active = inside.filter((each) => each.state !== "idle");
  return {
    state: stateOf(new Set(active.map((each) => each.state))),
    value: sum(active.map((each) => (isOver(each) ? each.max : each.value))),
    max: sum(active.map((each) => each.max)) || IDLE.max,
    seconds: active.some((each) => each.seconds !== null) ? sum(active.map((each) => each.seconds ?? 0)) : null,
    preview: inside.findLast((each) => each.preview !== null)?.preview ?? null,
    output: together(inside.flatMap((each) => each.output ?? [])),
  };
}

function stateOf(states: ReadonlySet<NodeRun["state"]>): NodeRun["state"] {
  if (states.has("failed")) return "failed";
  const hasEnded = states.has("done") || states.has("cached");
  if (states.has("running") || (hasEnded && states.has("waiting"))) return "running";
  if (states.has("waiting")) return "waiting";
  if (states.has("done")) return "done";
  return states.has("cached") ? "cached" : "idle";
}

function isOver({ state }: NodeRun): boolean {
  return state === "done" || state === "cached";
}

function together(outputs: readonly NodeOutput[]): NodeOutput | null {
  if (outputs.length < 2) return outputs[0] ?? null;
  return {
    pictures: outputs.flatMap((each) => each.pictures),
    texts: outputs.flatMap((each) => each.texts),
    isAnimated: outputs.some((each) => each.isAnimated),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
