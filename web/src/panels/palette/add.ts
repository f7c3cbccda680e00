/** Adds a node to the shown graph, wired to what was asked for, and selects it. */

import { type Document, graphOf, type GraphId, type NodeId } from "@/graph/document";
import { connectFitting } from "@/graph/edits/links";
import { addInstance, addNode, moveTo } from "@/graph/edits/nodes";
import { done } from "@/graph/reason";
import { GAP, roomFor } from "@/graph/room";
import { nodeTypes } from "@/state/node_types";
import { inWords } from "@/state/opening";
import { toast } from "@/state/toasts";
import { activeTab, editGraph, select, shownGraph } from "@/state/workbench";
import { useCanvas, type WireEnd } from "@/view/canvas_store";
import { rectIn } from "@/view/flow_nodes";
import { currentRects } from "@/view/scene";

import { used } from "./recent";
import type { PaletteOpening } from "./request";

/** Returns: the new node's id; null when no workflow is open. */
export function addFromPalette(
  typeId: string,
  { at, fits, isAnywhere = false }: Pick<PaletteOpening, "at" | "fits" | "isAnywhere">,
): NodeId | null {
  let added: NodeId | null = null;
  editGraph("edit.add", (document, graphId) => {
    const types = nodeTypes();
    const made = document.subgraphs.has(typeId)
      ? addInstance(document, graphId, typeId, at)
      : done(addNode(document, graphId, types, typeId, at));
    if (!made.ok) {
      toast("warning", inWords(made.reason));
      return document;
    }
    const { document: before, id } = made.value;
    added = id;
    const withNode = isAnywhere ? madeRoom(before, graphId, id) : led(before, graphId, id, fits);
    return fits === undefined ? withNode : connectFitting(withNode, graphId, types, id, endOf(fits.from));
  });
  if (added === null) return null;
  if (nodeTypes().has(typeId)) used(typeId);
  select({ nodes: new Set([added]) });
  return added;
}

/** Adds a node where there is room: right of what is selected, else in the middle of what is seen. */
export function addAtFreePlace(typeId: string): NodeId | null {
  const added = addFromPalette(typeId, { at: freePlace(), isAnywhere: true });
  if (added !== null) useCanvas.getState().bringIntoView(added);
  return added;
}

export function freePlace(): { x: number; y: number } {
  const tab = activeTab();
  const chosen = tab === null ? undefined : [...tab.selection.nodes].at(-1);
  const node = tab === null || chosen === undefined ? undefined : shownGraph(tab).nodes.get(chosen);
  if (node !== undefined) return { x: node.x + node.width + GAP, y: node.y };
  const stage = document.querySelector(".react-flow")?.getBoundingClientRect();
  const middle = stage === undefined ? { x: 0, y: 0 } : { x: stage.x + stage.width / 2, y: stage.y + stage.height / 3 };
  return useCanvas.getState().screenToGraph(middle);
}

/** Moves a new node to where nothing else stands. */
function madeRoom(document: Document, graphId: GraphId, id: NodeId): Document {
  const graph = graphOf(document, graphId);
  const node = graph?.nodes.get(id);
  if (graph === null || node === undefined) return document;
  const wanted = rectIn({ document, graph, types: nodeTypes(), made: new Map() }, node);
  const room = roomFor(wanted, currentRects().values());
  return moveTo(document, graphId, new Map([[id, { x: room.x, y: room.y + node.y - wanted.y }]]));
}

/** What feeds an input stands left of where the wire was let go. */
function led(document: Document, graphId: GraphId, id: NodeId, fits: PaletteOpening["fits"]): Document {
  const node = graphOf(document, graphId)?.nodes.get(id);
  if (node === undefined || fits?.from.kind !== "input") return document;
  return moveTo(document, graphId, new Map([[id, { x: node.x - node.width, y: node.y }]]));
}

function endOf(wire: WireEnd): Parameters<typeof connectFitting>[4] {
  return wire.kind === "output" ? { from: wire.end } : { to: wire.end };
}
