/** The far view: one canvas under React Flow's elements, drawn anew when the view or what is in it changes. */

import { useStoreApi } from "@xyflow/react";
import { useCallback, useEffect, useMemo, useRef } from "react";

import { usePreferences } from "@/state/preferences";
import { useProblems } from "@/state/problems";
import { useRun } from "@/state/run";
import { activeTab } from "@/state/workbench";
import { executionId } from "@/graph/document";

import { drawFar, type FarMarks, type FarScene, farScene } from "./far_drawing";
import type { Scene } from "./flow_nodes";
import { palette, refreshPalette } from "./palette";
import styles from "./Canvas.module.css";

interface FarLayerProps {
  readonly scene: Scene;
  readonly isReal: (id: string) => boolean;
}

export function FarLayer({ scene, isReal }: FarLayerProps) {
  const sheet = useRef<HTMLCanvasElement>(null);
  const store = useStoreApi();
  const far = useMemo(() => farScene(scene), [scene]);
  const draw = useCallback((): void => {
    if (sheet.current !== null) drawOn(sheet.current, far, store.getState(), isReal);
  }, [far, store, isReal]);
  useEffect(() => {
    const { ask, end } = oncePerFrame(draw);
    ask();
    const ends = [
      store.subscribe(ask),
      useRun.subscribe(ask),
      useProblems.subscribe(ask),
      usePreferences.subscribe(ask),
    ];
    return () => {
      ends.forEach((each) => each());
      end();
    };
  }, [draw, store]);
  return <canvas ref={sheet} className={styles.far} data-layer="far" aria-hidden />;
}

/** Does something in the next frame, however often it is asked for until then. */
function oncePerFrame(act: () => void) {
  let asked: number | null = null;
  const now = (): void => {
    asked = null;
    act();
  };
  return {
    ask: (): void => {
      asked ??= requestAnimationFrame(now);
    },
    end: (): void => {
      if (asked !== null) cancelAnimationFrame(asked);
    },
  };
}

type FlowState = ReturnType<ReturnType<typeof useStoreApi>["getState"]>;

function drawOn(canvas: HTMLCanvasElement, far: FarScene, flow: FlowState, isReal: (id: string) => boolean): void {
  const pen = canvas.getContext("2d");
  if (pen === null) return;
  const { width, height } = flow;
  const [x, y, zoom] = flow.transform;
  const scale = Math.min(2, window.devicePixelRatio || 1);
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  refreshPalette();
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const view = { x, y, zoom, width, height };
  drawFar(pen, far, view, marksOf(flow, isReal), palette, usePreferences.getState().wires);
}

function marksOf(flow: FlowState, isReal: (id: string) => boolean): FarMarks {
  const tab = activeTab();
  const documentId = tab?.history.present.id ?? "";
  const path = tab?.path ?? [];
  const runs = useRun.getState().nodes.get(documentId);
  const wrong = new Set((useProblems.getState().problems.get(documentId) ?? []).map((each) => each.node));
  const named = (id: string): string => executionId(path, id);
  return {
    isReal,
    isSelected: (id) => tab?.selection.nodes.has(id) ?? false,
    isWrong: (id) => wrong.has(named(id)),
    stateOf: (id) => runs?.get(named(id))?.state ?? "idle",
    movedTo: (id) => flow.nodeLookup.get(id)?.internals.positionAbsolute ?? null,
  };
}
