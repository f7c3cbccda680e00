/** Which problem of the list was gone to last. */

import { create } from "zustand";

import { NO_PROBLEMS, useProblems } from "@/state/problems";
import { activeTab } from "@/state/workbench";

import { useLayout } from "../layout";
import { jumpToNode, nextPlace } from "./jump";

export const usePlace = create<{ readonly place: number }>()(() => ({ place: -1 }));

export function goToProblem(place: number): void {
  usePlace.setState({ place });
  const problem = problemsShown()[place];
  if (problem !== undefined && problem.node !== "") jumpToNode(problem.node);
}

export function stepThroughProblems(step: 1 | -1): void {
  const problems = problemsShown();
  if (problems.length === 0) return;
  useLayout.setState({ problemsOpen: true });
  goToProblem(nextPlace(problems, usePlace.getState().place, step));
}

export function problemsShown() {
  const tab = activeTab();
  return tab === null ? NO_PROBLEMS : (useProblems.getState().problems.get(tab.history.present.id) ?? NO_PROBLEMS);
}
