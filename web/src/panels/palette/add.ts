/** Adds a node to the shown graph, wired to what was asked for, and selects it. */

import type { NodeId } from "@/graph/document";
import { connectFitting } from "@/graph/edits/links";
import { addNode } from "@/graph/edits/nodes";
import { nodeTypes } from "@/state/node_types";
import { activeTab, editGraph, select, shownGraph } from "@/state/workbench";
import { useCanvas, type WireEnd } from "@/view/canvas_store";

import { used } from "./recent";
import type { PaletteOpening } from "./request";

/** Returns: the new node's id; null when no workflow is open. */
export function addFromPalette(typeId: string, { at, fits }: Pick<PaletteOpening, "at" | "fits">): NodeId | null {
  let added: NodeId | null = null;
  editGraph("edit.add", (document, graphId) => {
    const types = nodeTypes();
    const { document: withNode, id } = addNode(document, graphId, types, typeId, at);
    added = id;
    return fits === undefined ? withNode : connectFitting(withNode, graphId, types, id, endOf(fits.from));
  });
  if (added === null) return null;
  used(typeId);
  select({ nodes: new Set([added]) });
  return added;
}

/** Adds a node where there is room: right of what is selected, else in the middle of what is seen. */
export function addAtFreePlace(typeId: string): NodeId | null {
  return addFromPalette(typeId, { at: freePlace() });
}

export function freePlace(): { x: number; y: number } {
  const tab = activeTab();
  const chosen = tab === null ? undefined : [...tab.selection.nodes].at(-1);
  const node = tab === null || chosen === undefined ? undefined : shownGraph(tab).nodes.get(chosen);
  if (node !== undefined) return { x: node.x + node.width + 60, y: node.y };
  const stage = document.querySelector(".react-flow")?.getBoundingClientRect();
  const middle = stage === undefined ? { x: 0, y: 0 } : { x: stage.x + stage.width / 2, y: stage.y + stage.height / 3 };
  return useCanvas.getState().screenToGraph(middle);
}

function endOf(wire: WireEnd): Parameters<typeof connectFitting>[4] {
  return wire.kind === "output" ? { from: wire.end } : { to: wire.end };
}
