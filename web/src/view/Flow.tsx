/** React Flow, controlled by the workbench: what is drawn comes from the shown graph, what is done becomes an edit. */

import {
  type Connection,
  type EdgeChange,
  type EdgeTypes,
  type FinalConnectionState,
  type HandleType,
  type NodeChange,
  type NodeTypes as FlowNodeTypes,
  ReactFlow,
  SelectionMode,
  useKeyPress,
  useReactFlow,
  useStoreApi,
} from "@xyflow/react";
import { type MouseEvent as ReactMouseEvent, useCallback, useEffect, useMemo, useState } from "react";

import { executionId, type Selection } from "@/graph/document";
import { overlaps, type Rect } from "@/graph/geometry";
import { usePreferences } from "@/state/preferences";
import { useProblemsOf } from "@/state/problems";
import { select } from "@/state/workbench";
import { t } from "@/texts/index";

import { setCanvas, useCanvas } from "./canvas_store";
import { Dots } from "./Dots";
import { FarLayer } from "./FarLayer";
import { type Ends, flowEdges, type FlowWire } from "./flow_edges";
import { type FlowNode, flowNodes, rectIn, type Scene } from "./flow_nodes";
import { setHeld } from "./hydration";
import { GroupBox } from "./GroupBox";
import { addReroute } from "./menu_items";
import { NodeCard } from "./NodeCard";
import { Overview } from "./Overview";
import { usePlace } from "./place";
import { PortsCard } from "./PortsCard";
import { Refusal, refusalOf } from "./Refusal";
import { changedSelection, onContextMenuOf } from "./selecting";
import { useMoves } from "./use_moves";
import { MAX_ZOOM, MIN_ZOOM, useView } from "./use_view";
import { DrawnWire, Wire } from "./Wire";
import { connectEnds, endWire, startWire } from "./wiring";
import styles from "./Canvas.module.css";

const nodeTypes: FlowNodeTypes = { card: NodeCard, frame: GroupBox, ports: PortsCard };
const edgeTypes: EdgeTypes = { wire: Wire };
/** Nodes and wires say themselves what they are, in the person's language. */
const UNSAID = {
  "node.a11yDescription.default": "",
  "node.a11yDescription.keyboardDisabled": "",
  "node.a11yDescription.ariaLiveMessage": () => "",
  "edge.a11yDescription.default": "",
};
const NO_WIRES: FlowWire[] = [];
/** More selected nodes than this are not drawn as elements when they are far away. */
const MOST_REAL = 60;

export function Flow({ scene, selection }: { readonly scene: Scene; readonly selection: Selection }) {
  const { graph } = scene;
  const { snapToGrid, gridSize, showMinimap } = usePreferences();
  const isFar = useCanvas((state) => state.detail === "far");
  const isShift = useKeyPress("Shift");
  const flow = useReactFlow();
  useView(usePlace());
  const { isReal, onHover } = useReal(scene, selection, isFar);
  const raised = useRaised();
  const base = useMemo(
    () => flowNodes(scene, selection, isFar ? isReal : null, raised),
    [scene, selection, isFar, isReal, raised],
  );
  const wires = useMemo(() => (isFar ? NO_WIRES : flowEdges(graph, selection.links)), [graph, selection.links, isFar]);
  const { nodes, move, begin } = useMoves(base, graph);
  useFarSelecting(scene, isFar);
  useFirstFocus(scene);
  useEffect(() => setCanvas({ menu: null, listing: null, renaming: null, wiring: null }), []);

  const onNodesChange = useCallback(
    (changes: NodeChange<FlowNode>[]): void => {
      changedSelection(changes, "nodes");
      move(changes);
    },
    [move],
  );
  const onEdgesChange = useCallback((changes: EdgeChange<FlowWire>[]): void => changedSelection(changes, "links"), []);
  const onDoubleClick = (event: ReactMouseEvent): void => {
    if (!(event.target instanceof Element) || !event.target.classList.contains("react-flow__pane")) return;
    const screen = { x: event.clientX, y: event.clientY };
    const at = flow.screenToFlowPosition(screen, { snapToGrid: false });
    useCanvas.getState().openPalette?.({ at, screen });
  };
  return (
    <ReactFlow<FlowNode, FlowWire>
      className={styles.flow ?? ""}
      nodes={nodes as FlowNode[]}
      edges={wires as FlowWire[]}
      nodeTypes={nodeTypes}
      edgeTypes={edgeTypes}
      onNodesChange={onNodesChange}
      onNodeDragStart={begin}
      onSelectionDragStart={begin}
      onEdgesChange={onEdgesChange}
      onConnect={onConnect}
      onConnectStart={onConnectStart}
      onConnectEnd={onConnectEnd}
      onClickConnectStart={onConnectStart}
      onClickConnectEnd={onClickConnectEnd}
      isValidConnection={isValid}
      connectionLineComponent={DrawnWire}
      connectionRadius={18}
      onNodeContextMenu={onContextMenuOf.node}
      onEdgeContextMenu={onContextMenuOf.wire}
      onPaneContextMenu={onContextMenuOf.pane}
      onEdgeDoubleClick={(event, wire) =>
        addReroute(wire.id, flow.screenToFlowPosition({ x: event.clientX, y: event.clientY }, { snapToGrid: false }))
      }
      {...(isFar ? { onPaneMouseMove: onHover } : {})}
      onDoubleClick={onDoubleClick}
      onMoveStart={(event) => setHeld(event !== null && event.type !== "wheel")}
      onMoveEnd={() => setHeld(false)}
      onlyRenderVisibleElements
      minZoom={MIN_ZOOM}
      maxZoom={MAX_ZOOM}
      nodeDragThreshold={2}
      snapToGrid={snapToGrid}
      snapGrid={[gridSize, gridSize]}
      panOnDrag={isShift ? [1] : [0, 1]}
      selectionOnDrag={isShift}
      selectionMode={SelectionMode.Partial}
      selectionKeyCode={["Control", "Meta"]}
      multiSelectionKeyCode={["Shift", "Control", "Meta"]}
      panActivationKeyCode={null}
      zoomActivationKeyCode={null}
      deleteKeyCode={null}
      zoomOnDoubleClick={false}
      nodesFocusable={false}
      edgesFocusable={false}
      disableKeyboardA11y
      elevateNodesOnSelect
      proOptions={{ hideAttribution: true }}
      ariaLabelConfig={UNSAID}
      aria-label={t("canvas.label")}
    >
      <Dots />
      {isFar && <FarLayer scene={scene} isReal={isReal} />}
      {showMinimap && <Overview scene={scene} onGo={(x, y) => void flow.setCenter(x, y, { zoom: flow.getZoom() })} />}
      <Refusal />
    </ReactFlow>
  );
}

function onConnect(connection: Connection): void {
  connectEnds(connection);
}

function isValid(connection: Ends): boolean {
  return refusalOf(connection) === null;
}

interface Start {
  readonly nodeId: string | null;
  readonly handleId: string | null;
  readonly handleType: HandleType | null;
}

function onConnectStart(_: unknown, { nodeId, handleId }: Start): void {
  if (nodeId !== null) startWire(nodeId, handleId);
}

function onConnectEnd(event: MouseEvent | TouchEvent, state: FinalConnectionState): void {
  endWire(event, state);
}

function onClickConnectEnd(): void {
  setCanvas({ wiring: null });
}

/** In the far view few nodes are elements: the one pointed at, the one with the focus, and a few selected. */
function useReal(scene: Scene, selection: Selection, isFar: boolean) {
  const flow = useReactFlow();
  const [hovered, setHovered] = useState<string | null>(null);
  const focused = useCanvas((state) => state.focused);
  const isReal = useMemo(() => {
    const few = selection.nodes.size <= MOST_REAL ? selection.nodes : new Set<string>();
    return (id: string): boolean => id === hovered || id === focused || few.has(id);
  }, [hovered, focused, selection.nodes]);
  const onHover = useCallback(
    (event: ReactMouseEvent): void => {
      if (!isFar || event.buttons !== 0) return;
      const at = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY }, { snapToGrid: false });
      setHovered(nodeAt(scene, at));
    },
    [flow, scene, isFar],
  );
  return { isReal, onHover };
}

/** Nodes with something wrong lie above others, so that what is said below them can be read. */
function useRaised(): ReadonlySet<string> {
  const { documentId, path } = usePlace();
  const problems = useProblemsOf(documentId);
  return useMemo(() => {
    const prefix = executionId(path, "");
    return new Set(problems.filter(({ node }) => node.startsWith(prefix)).map(({ node }) => node.slice(prefix.length)));
  }, [problems, path]);
}

/** The topmost node at a point. */
function nodeAt(scene: Scene, { x, y }: { readonly x: number; readonly y: number }): string | null {
  const point: Rect = { x, y, width: 0.1, height: 0.1 };
  let found: string | null = null;
  for (const node of scene.graph.nodes.values()) if (overlaps(rectIn(scene, node), point)) found = node.id;
  return found;
}

/** React Flow selects only what is an element; the far view selects by itself. */
function useFarSelecting(scene: Scene, isFar: boolean): void {
  const store = useStoreApi();
  useEffect(() => {
    if (!isFar) return undefined;
    let last: unknown = null;
    return store.subscribe(({ userSelectionRect: rect, transform: [x, y, zoom] }) => {
      if (rect === last) return;
      last = rect;
      if (rect === null || rect.width + rect.height === 0) return;
      const area = {
        x: (rect.x - x) / zoom,
        y: (rect.y - y) / zoom,
        width: rect.width / zoom,
        height: rect.height / zoom,
      };
      const inside = [...scene.graph.nodes.values()].filter((node) => overlaps(rectIn(scene, node), area));
      select({ nodes: new Set(inside.map((node) => node.id)) });
    });
  }, [store, scene, isFar]);
}

/** There is always a node that Tab comes to. */
function useFirstFocus(scene: Scene): void {
  const focused = useCanvas((state) => state.focused);
  useEffect(() => {
    if (focused !== null && scene.graph.nodes.has(focused)) return;
    setCanvas({ focused: scene.graph.nodes.keys().next().value ?? null });
  }, [focused, scene]);
}
