/** Tells the other rooms how to move the view (`useCanvas`), keeps where each graph was looked at, and the detail. */

import { getViewportForBounds, useReactFlow, useStoreApi } from "@xyflow/react";
import { useEffect } from "react";

import type { GraphId } from "@/graph/document";
import { around, type Rect } from "@/graph/geometry";
import { activeTab, lookAt, shownGraph } from "@/state/workbench";

import { type Detail, setCanvas, useCanvas } from "./canvas_store";
import { portRects } from "./flow_nodes";
import { setMoving } from "./hydration";
import type { Place } from "./place";
import { currentRects } from "./scene";

export const MIN_ZOOM = 0.02;
export const MAX_ZOOM = 4;

/** Below this nodes are their titles. */
const PLAIN = 0.35;
/** Below this large graphs are drawn as one picture. */
const FAR = 0.3;
const LARGE = 150;
/** How long, in milliseconds, the view stands before it counts as still. */
const STILL = 140;

export function useView({ documentId, graphId }: Place): void {
  useMoves();
  useKeptView(graphId);
  useWatchedView(documentId, graphId);
}

/** Lends the ways to move the view to the other rooms. */
function useMoves(): void {
  const flow = useReactFlow();
  const store = useStoreApi();
  useEffect(() => {
    const duration = (): number => (matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 160);
    const show = (bounds: Rect, maxZoom: number, eased: boolean): void => {
      const { width, height } = store.getState();
      const viewport = getViewportForBounds(bounds, width, height, MIN_ZOOM, maxZoom, 0.08);
      go(viewport, () => void flow.setViewport(viewport, { duration: eased ? duration() : 0 }));
    };
    const bringIntoView = (id: string): void => {
      const rect = currentRects().get(id);
      if (rect === undefined || isInView(rect, store.getState())) return;
      void flow.setCenter(rect.x + rect.width / 2, rect.y + rect.height / 2, { zoom: flow.getZoom() });
    };
    setCanvas({
      fit: (ids) => {
        const bounds = boundsOf(ids);
        if (bounds !== null) show(bounds, 1.25, true);
      },
      zoomIn: () => void flow.zoomIn({ duration: duration() }),
      zoomOut: () => void flow.zoomOut({ duration: duration() }),
      center: (ids) => {
        const bounds = boundsOf(ids);
        if (bounds === null) return;
        const zoom = Math.max(0.6, Math.min(flow.getZoom(), 1.25));
        const { width, height } = store.getState();
        const fits = bounds.width * zoom < width && bounds.height * zoom < height;
        if (!fits) return show(bounds, 1.25, true);
        void flow.setCenter(bounds.x + bounds.width / 2, bounds.y + bounds.height / 2, { zoom, duration: duration() });
      },
      screenToGraph: (point) => flow.screenToFlowPosition(point, { snapToGrid: false }),
      bringIntoView,
      focusNode: (id) => {
        bringIntoView(id);
        setCanvas({ focused: id, focusAsked: useCanvas.getState().focusAsked + 1 });
      },
    });
  }, [flow, store]);
}

/** Goes to where a graph was looked at last, or shows all of it. */
function useKeptView(graphId: GraphId): void {
  const flow = useReactFlow();
  const store = useStoreApi();
  useEffect(() => {
    const tab = activeTab();
    const saved = tab?.viewports.get(graphId);
    const begin = (): boolean => {
      if (store.getState().width === 0 || store.getState().panZoom === null) return false;
      const bounds = boundsOf();
      const { width, height } = store.getState();
      const fitting = bounds === null ? null : getViewportForBounds(bounds, width, height, MIN_ZOOM, 1, 0.08);
      const viewport = saved ?? fitting ?? { x: width / 3, y: height / 3, zoom: 1 };
      go(viewport, () => void flow.setViewport({ ...viewport }));
      return true;
    };
    if (begin()) return undefined;
    const end = store.subscribe(() => begin() && end());
    return end;
  }, [graphId, flow, store]);
}

/** Keeps where the graph is looked at, and sets how much of it is drawn. */
function useWatchedView(documentId: string, graphId: GraphId): void {
  const store = useStoreApi();
  useEffect(() => {
    let last = store.getState().transform;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const still = (): void => {
      setMoving(false);
      const [x, y, zoom] = store.getState().transform;
      const tab = activeTab();
      // Another tab may be shown by now, whose view this is not.
      if (tab !== null && tab.history.present.id === documentId && shownGraph(tab).id === graphId) {
        lookAt(graphId, { x, y, zoom });
      }
    };
    const watch = (): void => {
      const { transform } = store.getState();
      if (transform === last) return;
      last = transform;
      setMoving(true);
      setDetail(transform[2]);
      clearTimeout(timer);
      timer = setTimeout(still, STILL);
    };
    const end = store.subscribe(watch);
    return () => {
      end();
      clearTimeout(timer);
      setMoving(false);
    };
  }, [documentId, graphId, store]);
}

/** Goes to a view; one that is drawn as a picture becomes one first, so that no thousand elements are made for a moment. */
function go({ zoom }: { readonly zoom: number }, move: () => void): void {
  const tab = activeTab();
  if (tab === null || detailAt(zoom, shownGraph(tab).nodes.size) !== "far" || useCanvas.getState().detail === "far") {
    move();
    return;
  }
  setDetail(zoom);
  requestAnimationFrame(move);
}

function setDetail(zoom: number): void {
  const tab = activeTab();
  const count = tab === null ? 0 : shownGraph(tab).nodes.size;
  const detail = detailAt(zoom, count);
  if (detail !== useCanvas.getState().detail) setCanvas({ detail });
}

export function detailAt(zoom: number, nodes: number): Detail {
  if (zoom < FAR && nodes > LARGE) return "far";
  return zoom < PLAIN ? "plain" : "full";
}

function boundsOf(ids?: Iterable<string>): Rect | null {
  const rects = currentRects();
  const tab = activeTab();
  if (ids !== undefined) return around([...ids].flatMap((id) => rects.get(id) ?? []));
  const graph = tab === null ? null : shownGraph(tab);
  const others = graph === null ? [] : [...graph.groups.values(), ...portRects(graph)];
  return around([...rects.values(), ...others]);
}

function isInView(
  rect: Rect,
  flow: { transform: readonly [number, number, number]; width: number; height: number },
): boolean {
  const [x, y, zoom] = flow.transform;
  const left = rect.x * zoom + x;
  const top = rect.y * zoom + y;
  return (
    left >= 0 &&
    top >= 0 &&
    left + Math.min(rect.width * zoom, flow.width) <= flow.width &&
    top + 40 * zoom <= flow.height
  );
}
