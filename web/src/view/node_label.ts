/** What a node is called, and what a screen reader says of it. */

import { BYPASSED, type Document, MUTED, type Node } from "@/graph/document";
import type { NodeTypes } from "@/graph/node_type";
import type { NodeRun } from "@/state/run";
import { lookUp, plural, t } from "@/texts/index";

export function titleOf(node: Node, document: Document | null, types: NodeTypes): string {
  if (node.title !== null && node.title !== "") return node.title;
  const type = types.get(node.type);
  if (type !== undefined) return type.displayName;
  const definition = document?.subgraphs.get(node.type);
  return definition !== undefined && definition.name !== "" ? definition.name : node.type;
}

/** "KSampler, 4 inputs, 1 unconnected, running 30 %". */
export function labelOf(title: string, node: Node, wired: number, run: NodeRun, problems: readonly string[]): string {
  const sockets = node.inputs.filter((slot) => !slot.isWidget).length;
  const free = Math.max(0, sockets - wired);
  return [
    title,
    plural("canvas.label.inputs", sockets),
    free > 0 ? plural("canvas.label.unconnected", free) : "",
    node.mode === MUTED ? t("canvas.label.muted") : "",
    node.mode === BYPASSED ? t("canvas.label.bypassed") : "",
    stateWords(run),
    ...problems,
  ]
    .filter((part) => part !== "")
    .join(", ");
}

export function stateWords(run: NodeRun): string {
  if (run.state === "idle") return "";
  if (run.state === "running") return t("canvas.state.running", { percent: percentOf(run) });
  if (run.state === "done" && run.seconds !== null) return t("canvas.state.done_in", { time: timeWords(run.seconds) });
  return lookUp(`canvas.state.${run.state}`);
}

export function percentOf({ value, max }: NodeRun): number {
  return max > 0 ? Math.min(100, Math.max(0, Math.round((100 * value) / max))) : 0;
}

export function timeWords(seconds: number): string {
  if (seconds < 0.95) return t("canvas.time.milliseconds", { count: Math.max(1, Math.round(seconds * 1000)) });
  if (seconds < 59.5) return t("canvas.time.seconds", { count: seconds.toFixed(seconds < 9.95 ? 1 : 0) });
  const whole = Math.round(seconds);
  return t("canvas.time.minutes", { minutes: Math.floor(whole / 60), seconds: whole % 60 });
}
