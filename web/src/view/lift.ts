/** Taking a wire off an input by dragging it away: it stays with its output and looks for another input. */

import { useStoreApi } from "@xyflow/react";
import { XYHandle } from "@xyflow/system";
import { type MouseEvent, type TouchEvent, useCallback } from "react";

import type { Link, NodeId } from "@/graph/document";
import { connect, disconnect } from "@/graph/edits/links";
import { linkInto } from "@/graph/links";
import { nodeTypes } from "@/state/node_types";
import { activeTab, editGraph, shownGraph } from "@/state/workbench";

import { setCanvas, useCanvas } from "./canvas_store";
import { type Ends, endsOf, typeOf } from "./flow_edges";
import { outHandle } from "./flow_nodes";

/** How far, in pixels, the pointer goes before a press is a drag. */
const THRESHOLD = 4;

export function useLift(node: NodeId, slot: number | null) {
  const store = useStoreApi();
  return useCallback(
    (event: MouseEvent | TouchEvent): void => {
      const tab = slot === null ? null : activeTab();
      const graph = tab === null ? null : shownGraph(tab);
      const link = graph === null || slot === null ? null : linkInto(graph, node, slot);
      const isLeft = !("button" in event) || event.button === 0;
      // A wire being drawn by two clicks ends here; nothing is lifted then.
      if (graph === null || link === null || !isLeft || useCanvas.getState().wiring !== null) return;
      if (!(event.target instanceof HTMLElement)) return;
      event.stopPropagation();
      const state = store.getState();
      const begin = (): void =>
        setCanvas({
          lifted: link.id,
          wiring: { kind: "output", end: { node: link.origin, slot: link.originSlot }, type: typeOf(graph, link) },
        });
      XYHandle.onPointerDown(event.nativeEvent, {
        autoPanOnConnect: state.autoPanOnConnect,
        autoPanSpeed: state.autoPanSpeed,
        connectionMode: state.connectionMode,
        connectionRadius: state.connectionRadius,
        domNode: state.domNode,
        handleId: outHandle(link.originSlot),
        nodeId: link.origin,
        nodeLookup: state.nodeLookup,
        isTarget: false,
        edgeUpdaterType: "source",
        lib: state.lib,
        flowId: state.rfId,
        cancelConnection: state.cancelConnection,
        panBy: state.panBy,
        isValidConnection: (ends) => store.getState().isValidConnection?.(ends) ?? true,
        onConnect: (ends) => moveWire(link, ends),
        onConnectStart: begin,
        onReconnectEnd: (_, ended) => {
          setCanvas({ lifted: null, wiring: null });
          // Let go over nothing: the wire is cut. Let go over what refuses it: it stays.
          if (ended.toHandle === null)
            editGraph("edit.disconnect", (document, id) => disconnect(document, id, [link.id]));
        },
        updateConnection: state.updateConnection,
        getTransform: () => store.getState().transform,
        getFromHandle: () => store.getState().connection.fromHandle,
        dragThreshold: THRESHOLD,
        handleDomNode: event.target,
      });
    },
    [store, node, slot],
  );
}

function moveWire(link: Link, connection: Ends): void {
  const ends = endsOf(connection);
  if (ends === null) return;
  const isBack = "slot" in ends.to && ends.to.node === link.target && ends.to.slot === link.targetSlot;
  if (isBack) return;
  editGraph("edit.connect", (document, graph) => {
    const moved = connect(disconnect(document, graph, [link.id]), graph, nodeTypes(), ends.from, ends.to);
    return moved.ok ? moved.value : document;
  });
}
