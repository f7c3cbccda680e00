/** Drawing a wire with the pointer: where it starts, and what becomes of it where it is let go. */

import type { FinalConnectionState } from "@xyflow/react";

import { INPUT_NODE, OUTPUT_NODE } from "@/graph/document";
import { connect, connectFitting } from "@/graph/edits/links";
import { inputAt } from "@/graph/node_inputs";
import { nodeTypes } from "@/state/node_types";
import { activeTab, editGraph, shownGraph } from "@/state/workbench";

import { setCanvas, useCanvas, type WireEnd } from "./canvas_store";
import { type Ends, endsOf, inputEnd, outputEnd } from "./flow_edges";

export function connectEnds(connection: Ends): void {
  const ends = endsOf(connection);
  if (ends === null) return;
  editGraph("edit.connect", (document, graph) => {
    const after = connect(document, graph, nodeTypes(), ends.from, ends.to);
    return after.ok ? after.value : document;
  });
}

export function startWire(node: string, handle: string | null): void {
  setCanvas({ wiring: wireEnd(node, handle) });
}

/** The end that a handle stands for, with the type it gives or takes. */
function wireEnd(node: string, handle: string | null): WireEnd | null {
  const tab = activeTab();
  if (tab === null) return null;
  const graph = shownGraph(tab);
  const output = outputEnd(node, handle);
  if (output !== null) {
    const slots = node === INPUT_NODE ? graph.inputs : graph.nodes.get(node)?.outputs;
    return { kind: "output", end: output, type: slots?.[output.slot]?.type ?? "*" };
  }
  const input = inputEnd(node, handle);
  if (input === null) return null;
  const found = graph.nodes.get(node);
  if ("slot" in input) {
    const slots = node === OUTPUT_NODE ? graph.outputs : found?.inputs;
    return { kind: "input", end: input, type: slots?.[input.slot]?.type ?? "*" };
  }
  const widget = found && inputAt(tab.history.present, graph, nodeTypes(), found, input.widget);
  return { kind: "input", end: input, type: widget?.type ?? "*" };
}

/** Let go over a node's body: its first socket that fits. Over nothing: the palette offers what fits. */
export function endWire(event: MouseEvent | TouchEvent, state: FinalConnectionState): void {
  const { wiring, openPalette, screenToGraph } = useCanvas.getState();
  setCanvas({ wiring: null, lifted: null });
  if (wiring === null || state.toHandle !== null || state.isValid === true) return;
  const point = "changedTouches" in event ? event.changedTouches[0] : event;
  if (point === undefined) return;
  const screen = { x: point.clientX, y: point.clientY };
  const below = document.elementFromPoint(screen.x, screen.y);
  const node = below?.closest<HTMLElement>("[data-node]")?.dataset["node"];
  if (node !== undefined) {
    if (node !== wiring.end.node) wireTo(node, wiring);
    return;
  }
  if (below?.classList.contains("react-flow__pane") !== true && below?.closest("[data-group]") == null) return;
  const fits = wiring.kind === "output" ? { accepts: wiring.type, from: wiring } : { gives: wiring.type, from: wiring };
  openPalette?.({ at: screenToGraph(screen), screen, fits });
}

function wireTo(node: string, wiring: WireEnd): void {
  editGraph("edit.connect", (document, graph) =>
    wiring.kind === "output"
      ? connectFitting(document, graph, nodeTypes(), node, { from: wiring.end })
      : connectFitting(document, graph, nodeTypes(), node, { to: wiring.end }),
  );
}
