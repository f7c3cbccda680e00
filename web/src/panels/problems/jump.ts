/** Going to what a problem is about: its graph, its node selected and in the middle of the canvas. */

import { graphAt } from "@/graph/document";
import type { Problem } from "@/state/problems";
import { activeTab, goTo, select } from "@/state/workbench";
import { useCanvas } from "@/view/canvas_store";

/** Returns: whether the node is there. */
export function jumpToNode(executionId: string): boolean {
  const tab = activeTab();
  const path = executionId.split(":");
  const node = path.pop() ?? "";
  if (tab === null || graphAt(tab.history.present, path)?.nodes.has(node) !== true) return false;
  if (path.join(":") !== tab.path.join(":")) goTo(path);
  select({ nodes: new Set([node]) });
  // Another graph must be drawn before anything in it can be in the middle.
  setTimeout(() => useCanvas.getState().center([node]), 0);
  return true;
}

/** The problem after (1) or before (-1) the one at `place`, around the ends. */
export function nextPlace(problems: readonly Problem[], place: number, step: 1 | -1): number {
  if (problems.length === 0) return -1;
  if (place < 0) return step === 1 ? 0 : problems.length - 1;
  return (place + step + problems.length) % problems.length;
}
