/** The corner by which a node (or a group) is made larger: with the pointer, or with Alt and the arrow keys. */

import { type PointerEvent, useRef } from "react";

import { type Node, TITLE_HEIGHT } from "@/graph/document";
import { resize } from "@/graph/edits/nodes";
import type { NodeLayout } from "@/graph/geometry";
import { usePreferences } from "@/state/preferences";
import { editGraph, settle } from "@/state/workbench";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";

import { useCanvas } from "./canvas_store";
import styles from "./ResizeGrip.module.css";

interface Size {
  readonly width: number;
  readonly height: number;
}

export function ResizeGrip({
  node,
  layout,
  label,
}: {
  readonly node: Node;
  readonly layout: NodeLayout;
  readonly label: string;
}) {
  const size = { width: layout.width, height: layout.height - TITLE_HEIGHT };
  return <Grip size={size} label={label} onSize={(next) => resizeNode(node, next)} />;
}

/** One undo step per drag: edits with one merge key. */
export function resizeNode(node: Node, size: Size): void {
  editGraph("edit.resize", (document, graph) => resize(document, graph, node.id, size), { merge: `resize ${node.id}` });
}

interface GripProps {
  readonly size: Size;
  readonly label: string;
  readonly onSize: (size: Size) => void;
}

export function Grip({ size, label, onSize }: GripProps) {
  const start = useRef<{ x: number; y: number; size: Size } | null>(null);
  const down = (event: PointerEvent<HTMLElement>): void => {
    if (event.button !== 0) return;
    event.stopPropagation();
    event.currentTarget.setPointerCapture(event.pointerId);
    start.current = { ...useCanvas.getState().screenToGraph({ x: event.clientX, y: event.clientY }), size };
  };
  const move = (event: PointerEvent<HTMLElement>): void => {
    if (start.current === null) return;
    const at = useCanvas.getState().screenToGraph({ x: event.clientX, y: event.clientY });
    const { x, y, size } = start.current;
    onSize(snapped({ width: size.width + at.x - x, height: size.height + at.y - y }));
  };
  const up = (): void => {
    if (start.current === null) return;
    start.current = null;
    settle();
  };
  return (
    <span
      className={classes(styles.grip, "nodrag", "nopan")}
      title={t("canvas.resize", { title: label })}
      aria-hidden
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={up}
    />
  );
}

function snapped(size: Size): Size {
  const { snapToGrid, gridSize } = usePreferences.getState();
  if (!snapToGrid) return { width: Math.round(size.width), height: Math.round(size.height) };
  const snap = (length: number): number => Math.round(length / gridSize) * gridSize;
  return { width: snap(size.width), height: snap(size.height) };
}
