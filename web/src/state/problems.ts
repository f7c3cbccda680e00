/** What is wrong with a workflow, each with the node and the input it is about. */

import { create } from "zustand";

export interface Problem {
  /** The node, by its execution id ("57:8"); "" when it is about the whole workflow. */
  readonly node: string;
  /** The input; null when it is about the node. */
  readonly input: string | null;
  /** A sentence in the person's language, or the server's own. */
  readonly message: string;
  readonly detail: string;
  /** Who said so: our own check before sending, the server's answer, or a node while it ran. */
  readonly from: "check" | "server" | "run";
}

/** By document id. */
export const useProblems = create<{ readonly problems: ReadonlyMap<string, readonly Problem[]> }>()(() => ({
  problems: new Map(),
}));

/** What the messages about runs that were kept from running are about. */
export const RUN_TOPIC = "run";

export const NO_PROBLEMS: readonly Problem[] = [];

export function useProblemsOf(documentId: string): readonly Problem[] {
  return useProblems((state) => state.problems.get(documentId) ?? NO_PROBLEMS);
}

export function setProblems(documentId: string, problems: readonly Problem[]): void {
  useProblems.setState((state) => ({ problems: new Map(state.problems).set(documentId, problems) }));
}
