/**
 * The keyboard on a focused node: Tab goes to the next in reading order, Enter into it, arrows move what is selected,
 * F2 renames, C wires, Alt with arrows resizes.
 */

import type { KeyboardEvent } from "react";

import { type Node, type NodeId, TITLE_HEIGHT } from "@/graph/document";
import { moveBy } from "@/graph/edits/nodes";
import { type NodeLayout, readingOrder } from "@/graph/geometry";
import { usePreferences } from "@/state/preferences";
import { activeTab, editGraph, select } from "@/state/workbench";

import { setCanvas, useCanvas } from "./canvas_store";
import { resizeNode } from "./ResizeGrip";
import { currentRects } from "./scene";

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const INSIDE = "button, input, textarea, select, [tabindex]";

export function onNodeKey(event: KeyboardEvent<HTMLDivElement>, node: Node, layout: NodeLayout): void {
  const frame = event.currentTarget;
  if (event.target !== frame) {
    if (event.key === "Escape" && !event.defaultPrevented) frame.focus({ preventScroll: true });
    return;
  }
  if (takesKey(event, node, layout, frame)) {
    event.preventDefault();
    event.stopPropagation();
  }
}

function takesKey(event: KeyboardEvent, node: Node, layout: NodeLayout, frame: HTMLElement): boolean {
  const { key, shiftKey, altKey } = event;
  if (event.ctrlKey || event.metaKey) return false;
  const arrow = ARROWS[key];
  if (arrow !== undefined) return altKey ? stretch(node, layout, arrow) : push(node.id, arrow, shiftKey);
  if (altKey) return false;
  switch (key) {
    case "Tab":
      return focusBeside(node.id, shiftKey ? -1 : 1);
    case "Home":
      return focusAt(0);
    case "End":
      return focusAt(-1);
    case "Enter":
      return goInside(frame);
    case "F2":
      setCanvas({ renaming: { kind: "node", id: node.id } });
      return true;
    case "c":
      setCanvas({ listing: { node: node.id, end: null } });
      return true;
    case "ContextMenu":
    case "F10":
      return (key === "ContextMenu" || shiftKey) && openMenu(node.id, frame);
    default:
      return false;
  }
}

/** The ids of the shown nodes as people read them. */
function orderedIds(): readonly NodeId[] {
  const rects = [...currentRects()].map(([id, rect]) => ({ ...rect, id }));
  return readingOrder(rects).map((each) => each.id);
}

/** False at the ends, so that Tab goes on out of the canvas. */
function focusBeside(id: NodeId | null, step: 1 | -1): boolean {
  const ids = orderedIds();
  const place = id === null ? -1 : ids.indexOf(id);
  const next = id === null ? ids[0] : ids[place + step];
  if (next === undefined || place + step < 0) return false;
  useCanvas.getState().focusNode(next);
  return true;
}

/** To the next node or the one before, from the last round to the first: there is always one, if there are nodes. */
export function focusAround(step: 1 | -1): void {
  const ids = orderedIds();
  const here = document.activeElement?.closest<HTMLElement>("[data-node]")?.dataset["node"];
  // Who comes from elsewhere comes first to where they were.
  const was = useCanvas.getState().focused;
  const next = here === undefined ? (was ?? ids[0]) : ids.at((ids.indexOf(here) + step) % ids.length);
  if (next !== undefined) useCanvas.getState().focusNode(next);
}

function focusAt(place: number): boolean {
  const id = orderedIds().at(place);
  if (id !== undefined) useCanvas.getState().focusNode(id);
  return true;
}

function goInside(frame: HTMLElement): boolean {
  const [first] = [...frame.querySelectorAll<HTMLElement>(INSIDE)].filter((each) => each.tabIndex >= 0);
  first?.focus();
  return first !== undefined;
}

function push(id: NodeId, [dx, dy]: readonly [number, number], isFar: boolean): boolean {
  const { snapToGrid, gridSize } = usePreferences.getState();
  const step = (snapToGrid ? gridSize : 2) * (isFar ? 10 : 1);
  const selected = activeTab()?.selection.nodes ?? new Set();
  const ids = selected.has(id) ? selected : new Set([id]);
  editGraph("edit.move", (document, graph) => moveBy(document, graph, ids, dx * step, dy * step), {
    merge: `push ${[...ids].join(" ")}`,
  });
  return true;
}

function stretch(node: Node, layout: NodeLayout, [dx, dy]: readonly [number, number]): boolean {
  if (layout.form !== "box") return true;
  resizeNode(node, { width: layout.width + 10 * dx, height: layout.height - TITLE_HEIGHT + 10 * dy });
  return true;
}

function openMenu(id: NodeId, frame: HTMLElement): boolean {
  const { left, top } = frame.getBoundingClientRect();
  if (activeTab()?.selection.nodes.has(id) !== true) select({ nodes: new Set([id]) });
  setCanvas({ menu: { at: { x: left + 24, y: top + 24 }, target: { kind: "node", id } } });
  return true;
}
