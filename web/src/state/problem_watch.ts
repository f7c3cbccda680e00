/**
 * Lets problems go when they are mended. What our own check found is looked at again; what the server or a node said
 * goes when the node it is about changes, for only another run can tell.
 */

import { type Document, graphAt, type Link, type Node, type Path } from "@/graph/document";
import { linksInto } from "@/graph/links";
import { checkDocument } from "@/graph/rules";
import { sameValue } from "@/graph/value";

import { nodeTypes, useNodeTypes } from "./node_types";
import { usePlugins } from "./plugins";
import { NO_PROBLEMS, type Problem, RUN_TOPIC, setProblems, useProblems } from "./problems";
import { problemOfFinding } from "./run_problems";
import { withdraw } from "./toasts";
import { useWorkbench } from "./workbench";

/** Milliseconds after the last change: while somebody types nothing is checked. */
const DELAY = 250;

/** Begins. Returns: what ends it. */
export function watchProblems(): () => void {
  let later: ReturnType<typeof setTimeout> | undefined;
  const recheckSoon = () => {
    clearTimeout(later);
    later = setTimeout(recheck, DELAY);
  };
  const stops = [
    useWorkbench.subscribe((state, before) => {
      for (const { id, history } of state.tabs) {
        const was = before.tabs.find((each) => each.id === id)?.history.present;
        const is = history.present;
        if (was === undefined || was === is || problemsOf(is.id).length === 0) continue;
        keep(
          is.id,
          problemsOf(is.id).filter((each) => each.from === "check" || stands(each, was, is)),
        );
        recheckSoon();
      }
    }),
    useNodeTypes.subscribe((state, before) => {
      if (state.types !== before.types) recheckSoon();
    }),
    usePlugins.subscribe((state, before) => {
      if (state.plugins !== before.plugins) recheckSoon(); // they say why a node type is not there
    }),
  ];
  return () => {
    clearTimeout(later);
    for (const stop of stops) stop();
  };
}

function problemsOf(documentId: string): readonly Problem[] {
  return useProblems.getState().problems.get(documentId) ?? NO_PROBLEMS;
}

/** Keeps of what was found what is still so, in today's words. Nothing new: a run may have been of some nodes only. */
function recheck(): void {
  for (const { history } of useWorkbench.getState().tabs) {
    const document = history.present;
    const problems = problemsOf(document.id);
    if (!problems.some((each) => each.from === "check")) continue;
    const found = checkDocument(document, nodeTypes()).map(problemOfFinding);
    const now = (problem: Problem): Problem | null =>
      problem.from === "check" ? (found.find((each) => isAbout(each, problem)) ?? null) : problem;
    keep(
      document.id,
      problems.map(now).filter((each) => each !== null),
    );
  }
}

function isAbout(one: Problem, other: Problem): boolean {
  return one.node === other.node && one.input === other.input;
}

function keep(documentId: string, problems: readonly Problem[]): void {
  const before = problemsOf(documentId);
  const isSame = before.length === problems.length && before.every((each, i) => each.message === problems[i]?.message);
  if (isSame) return;
  setProblems(documentId, problems);
  if (problems.length === 0) withdraw(RUN_TOPIC);
}

/** Whether nothing that the problem may come from has changed: the node's values, its mode, and its wires. */
function stands({ node }: Problem, was: Document, is: Document): boolean {
  const path = node.split(":");
  const id = path.pop() ?? "";
  const [before, after] = [nodeAt(was, path, id), nodeAt(is, path, id)];
  if (before === null || after === null) return false;
  if (before.node.mode !== after.node.mode || before.node.type !== after.node.type) return false;
  return sameValues(before.node, after.node) && sameWires(before.wires, after.wires);
}

function nodeAt(document: Document, path: Path, id: string): { node: Node; wires: readonly Link[] } | null {
  const graph = graphAt(document, path);
  const node = graph?.nodes.get(id);
  return graph === null || node === undefined ? null : { node, wires: linksInto(graph, id) };
}

function sameValues({ values: one }: Node, { values: other }: Node): boolean {
  if (one === other) return true;
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => sameValue(one[name] ?? null, other[name] ?? null));
}

function sameWires(one: readonly Link[], other: readonly Link[]): boolean {
  return endsOf(one) === endsOf(other);
}

function endsOf(links: readonly Link[]): string {
  return links
    .map(({ origin, originSlot, targetSlot }) => `${targetSlot} ${origin} ${originSlot}`)
    .toSorted()
    .join();
}
