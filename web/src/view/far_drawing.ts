/** The whole graph as one picture, for when it is too far away to be read as elements. */

import { BYPASSED, type Graph, INPUT_NODE, MUTED, OUTPUT_NODE, ROOT } from "@/graph/document";
import { layoutOfPorts, type NodeLayout, overlaps, type Rect, topOf } from "@/graph/geometry";
import type { NodeRun } from "@/state/run";

import { drawable } from "./color";
import { typeOf } from "./flow_edges";
import { layoutIn, type Scene } from "./flow_nodes";
import { titleOf } from "./node_label";
import { typeToken } from "./type_color";
import { bend, type WireStyle } from "./wire_path";

export interface View {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
  readonly width: number;
  readonly height: number;
}

/** What stands where: made when the graph changes, drawn for each frame. */
export interface FarScene {
  readonly cards: readonly FarCard[];
  readonly wires: ReadonlyMap<string, readonly FarWire[]>;
  readonly groups: Graph["groups"];
}

interface FarCard {
  readonly id: string;
  readonly rect: Rect;
  readonly title: string;
  readonly color: string | null;
  readonly isFaint: boolean;
}

interface FarWire {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

/** What changes while nothing of the graph does. */
export interface FarMarks {
  /** Drawn as elements, above. */
  readonly isReal: (id: string) => boolean;
  readonly isSelected: (id: string) => boolean;
  readonly isWrong: (id: string) => boolean;
  readonly stateOf: (id: string) => NodeRun["state"];
  /** Where a node is being dragged. */
  readonly movedTo: (id: string) => { readonly x: number; readonly y: number } | null;
}

/** Colours by token, as they are now. */
export type Palette = (token: string) => string;

export function farScene(scene: Scene): FarScene {
  const { graph, document, types } = scene;
  const spots = new Map<string, { x: number; y: number; layout: NodeLayout }>();
  const cards: FarCard[] = [];
  for (const node of graph.nodes.values()) {
    const layout = layoutIn(scene, node);
    const [x, y] = [node.x, topOf(node)];
    spots.set(node.id, { x, y, layout });
    const rect = { x, y, width: layout.width, height: layout.height };
    const isFaint = node.mode === MUTED || node.mode === BYPASSED;
    cards.push({ id: node.id, rect, title: titleOf(node, document, types), color: drawable(node.color), isFaint });
  }
  if (graph.id !== ROOT) {
    spots.set(INPUT_NODE, {
      x: graph.inputAt.x,
      y: graph.inputAt.y - 30,
      layout: layoutOfPorts(INPUT_NODE, graph.inputs),
    });
    spots.set(OUTPUT_NODE, {
      x: graph.outputAt.x,
      y: graph.outputAt.y - 30,
      layout: layoutOfPorts(OUTPUT_NODE, graph.outputs),
    });
  }
  const wires = new Map<string, FarWire[]>();
  for (const link of graph.links.values()) {
    const [from, to] = [spots.get(link.origin), spots.get(link.target)];
    if (from === undefined || to === undefined) continue;
    const token = typeToken(typeOf(graph, link));
    const wire = {
      x1: from.x + from.layout.width,
      y1: from.y + (from.layout.outputs[link.originSlot] ?? 0),
      x2: to.x,
      y2: to.y + (to.layout.inputs[link.targetSlot] ?? 0),
    };
    const same = wires.get(token);
    if (same === undefined) wires.set(token, [wire]);
    else same.push(wire);
  }
  return { cards, wires, groups: graph.groups };
}

/** Draws what is in view, in pixels of the canvas' own size. */
export function drawFar(
  pen: CanvasRenderingContext2D,
  scene: FarScene,
  view: View,
  marks: FarMarks,
  palette: Palette,
  wireStyle: WireStyle,
): void {
  const { x, y, zoom, width, height } = view;
  const seen: Rect = { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom };
  pen.save();
  pen.translate(x, y);
  pen.scale(zoom, zoom);
  drawGroups(pen, scene, seen, palette);
  drawWires(pen, scene, seen, zoom, palette, wireStyle);
  drawCards(pen, scene, seen, zoom, marks, palette);
  pen.restore();
}

function drawGroups(pen: CanvasRenderingContext2D, scene: FarScene, seen: Rect, palette: Palette): void {
  for (const group of scene.groups.values()) {
    if (!overlaps(group, seen)) continue;
    pen.globalAlpha = 0.14;
    pen.fillStyle = drawable(group.color) ?? palette("--text-faint");
    pen.fillRect(group.x, group.y, group.width, group.height);
  }
  pen.globalAlpha = 1;
}

function drawWires(
  pen: CanvasRenderingContext2D,
  scene: FarScene,
  seen: Rect,
  zoom: number,
  palette: Palette,
  wireStyle: WireStyle,
): void {
  pen.lineWidth = Math.max(2, 1 / zoom);
  pen.globalAlpha = 0.7;
  for (const [token, wires] of scene.wires) {
    pen.strokeStyle = palette(token);
    pen.beginPath();
    for (const wire of wires) {
      if (!isSeen(wire, seen)) continue;
      pen.moveTo(wire.x1, wire.y1);
      if (wireStyle !== "curved" || zoom < 0.12) pen.lineTo(wire.x2, wire.y2);
      else curve(pen, wire);
    }
    pen.stroke();
  }
  pen.globalAlpha = 1;
}

function curve(pen: CanvasRenderingContext2D, wire: FarWire): void {
  const reach = bend(wire);
  pen.bezierCurveTo(wire.x1 + reach, wire.y1, wire.x2 - reach, wire.y2, wire.x2, wire.y2);
}

function isSeen({ x1, y1, x2, y2 }: FarWire, seen: Rect): boolean {
  return (
    Math.max(x1, x2) + 60 > seen.x &&
    Math.min(x1, x2) - 60 < seen.x + seen.width &&
    Math.max(y1, y2) > seen.y &&
    Math.min(y1, y2) < seen.y + seen.height
  );
}

const TITLE = 30;

function drawCards(
  pen: CanvasRenderingContext2D,
  scene: FarScene,
  seen: Rect,
  zoom: number,
  marks: FarMarks,
  palette: Palette,
): void {
  const [body, head, ink] = [palette("--line"), palette("--line-strong"), palette("--text")];
  const isRead = zoom >= 0.13;
  pen.font = `500 ${isRead ? Math.min(34, 11 / zoom) : 20}px "Inter Variable", sans-serif`;
  pen.textBaseline = "middle";
  for (const card of scene.cards) {
    if (marks.isReal(card.id)) continue;
    const moved = marks.movedTo(card.id);
    const rect = moved === null ? card.rect : { ...card.rect, ...moved };
    if (!overlaps(rect, seen)) continue;
    pen.globalAlpha = card.isFaint ? 0.45 : 1;
    pen.fillStyle = body;
    pen.fillRect(rect.x, rect.y, rect.width, rect.height);
    pen.fillStyle = head;
    if (card.color !== null) pen.fillStyle = card.color;
    pen.fillRect(rect.x, rect.y, rect.width, Math.min(TITLE, rect.height));
    const ring = ringOf(card.id, marks);
    if (ring !== null) outline(pen, rect, palette(ring), zoom);
    if (isRead) drawTitle(pen, card.title, rect, ink, zoom);
  }
  pen.globalAlpha = 1;
}

function drawTitle(pen: CanvasRenderingContext2D, title: string, rect: Rect, ink: string, zoom: number): void {
  const size = Math.min(34, 11 / zoom);
  const room = Math.floor(rect.width / (size * 0.56));
  if (room < 3) return;
  pen.fillStyle = ink;
  const text = title.length > room ? `${title.slice(0, room - 1)}…` : title;
  pen.fillText(text, rect.x + 8, rect.y + Math.max(TITLE, size + 10) / 2);
}

function ringOf(id: string, marks: FarMarks): string | null {
  if (marks.isSelected(id)) return "--accent";
  if (marks.isWrong(id)) return "--bad";
  const state = marks.stateOf(id);
  if (state === "failed") return "--bad";
  if (state === "running") return "--accent";
  return state === "done" || state === "cached" ? "--good" : null;
}

function outline(pen: CanvasRenderingContext2D, rect: Rect, color: string, zoom: number): void {
  pen.strokeStyle = color;
  pen.lineWidth = 2 / zoom;
  pen.strokeRect(rect.x, rect.y, rect.width, rect.height);
}
