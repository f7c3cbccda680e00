/**
 * How large a node is and where its sockets, widgets and pictures stand, from its content alone: nothing is measured
 * on the screen. Lengths are those of the graph; y counts from the top of the title bar.
 */

import { INPUT_NODE, MARKDOWN_NOTE, type Node, NOTE, type Port, REROUTE, TITLE_HEIGHT } from "./document";
import type { ShownWidget } from "./node_inputs";
import type { InputType } from "./node_type";

export const SOCKET_ROW = 24;
/** A widget's row with the gap below it. */
export const WIDGET_ROW = 28;
const PAD = 6;
/** Three lines of text, the least a text that may have many has. */
const TEXT_ROWS = 3;
const MIN_NODE_WIDTH = 140;
const REROUTE_HEIGHT = 26;
const REROUTE_WIDTH = 48;
const COLLAPSED_WIDTH = 180;
const PORT_WIDTH = 140;
const NOTE_HEIGHT = 60;
const MEDIA_LEAST = 96;
const MEDIA_USUAL = 220;
const TEXT_RESULT = 72;

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What a node has to show beside its slots. */
export interface NodeContent {
  readonly widgets: readonly ShownWidget[];
  readonly hasPictures: boolean;
  readonly hasTexts: boolean;
}

/** A strip of a node from side to side. */
export interface Strip {
  readonly y: number;
  readonly height: number;
}

export interface WidgetStrip extends Strip {
  readonly input: InputType;
  /** The node inside a sub-graph that holds the value; null: the node itself. */
  readonly inner: string | null;
  /** Its input slot; null while it has none. */
  readonly slot: number | null;
}

export interface NodeLayout {
  readonly form: "box" | "collapsed" | "dot" | "ports";
  readonly width: number;
  /** With the title bar. */
  readonly height: number;
  /** The middle of each input's socket, by slot. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Which input slots have a row of their own: all but those of widgets. */
  readonly rows: readonly number[];
  readonly widgets: readonly WidgetStrip[];
  /** Where pictures and texts go that the node made or holds. */
  readonly media: Strip | null;
}

/** How many rows of `WIDGET_ROW` a widget needs at least. */
function heightOf(input: InputType): number {
  return isTall(input) ? TEXT_ROWS : 1;
}

/** Whether a widget takes what height its node has left. */
export function isTall(input: InputType): boolean {
  return input.options["multiline"] === true || input.type === "MARKDOWN";
}

export function layoutOf(node: Node, content: NodeContent): NodeLayout {
  if (node.type === REROUTE) return dot(node);
  if (node.isCollapsed) return collapsed(node);
  return box(node, content);
}

/** Where a node stands, with its title bar. */
export function rectOf(node: Node, layout: NodeLayout): Rect {
  return { x: node.x, y: topOf(node), width: layout.width, height: layout.height };
}

/** The top of a node's title bar. A reroute has none. */
export function topOf(node: Node): number {
  return node.type === REROUTE ? node.y : node.y - TITLE_HEIGHT;
}

/** The boundary of a sub-graph: its ports, and a free place below them that makes a new one. */
export function layoutOfPorts(id: string, ports: readonly Port[]): NodeLayout {
  const places = [...ports, null].map((_, i) => TITLE_HEIGHT + PAD + SOCKET_ROW * (i + 0.5));
  const isInput = id === INPUT_NODE;
  return {
    form: "ports",
    width: Math.max(PORT_WIDTH, ...ports.map((port) => 7 * (port.label ?? port.name).length + 56)),
    height: TITLE_HEIGHT + 2 * PAD + SOCKET_ROW * places.length,
    inputs: isInput ? [] : places,
    outputs: isInput ? places : [],
    rows: [],
    widgets: [],
    media: null,
  };
}

function dot(node: Node): NodeLayout {
  const middle = REROUTE_HEIGHT / 2;
  return {
    form: "dot",
    width: Math.max(REROUTE_WIDTH, Math.min(node.width, 75)),
    height: REROUTE_HEIGHT,
    inputs: node.inputs.map(() => middle),
    outputs: node.outputs.map(() => middle),
    rows: [],
    widgets: [],
    media: null,
  };
}

function collapsed(node: Node): NodeLayout {
  const middle = TITLE_HEIGHT / 2;
  return {
    form: "collapsed",
    width: Math.min(Math.max(MIN_NODE_WIDTH, node.width), COLLAPSED_WIDTH),
    height: TITLE_HEIGHT,
    inputs: node.inputs.map(() => middle),
    outputs: node.outputs.map(() => middle),
    rows: [],
    widgets: [],
    media: null,
  };
}

function box(node: Node, content: NodeContent): NodeLayout {
  const slots = new Map(node.inputs.map((slot, i) => [slot.name, i]));
  const ofWidgets = new Set(content.widgets.flatMap((each) => (each.inner === null ? [each.input.name] : [])));
  const rows = node.inputs.flatMap((slot, i) => (ofWidgets.has(slot.name) ? [] : [i]));
  const top = TITLE_HEIGHT + PAD;
  const lines = Math.max(rows.length, node.outputs.length);
  const widgetsAt = top + lines * SOCKET_ROW + (lines > 0 && content.widgets.length > 0 ? 4 : 0);
  const widgetHeights = heightsOf(node, content, widgetsAt);
  const widgets = stacked(content.widgets, widgetHeights, widgetsAt, slots);
  const end = widgetsAt + sum(widgetHeights);
  const media = mediaStrip(node, content, end);
  const needed = (media === null ? end : media.y + media.height) + PAD;
  const byWidget = new Map(widgets.map((each) => [each.slot, each.y + (WIDGET_ROW - 4) / 2]));
  const middleOf = (line: number): number => top + SOCKET_ROW * (line + 0.5);
  return {
    form: "box",
    width: Math.max(MIN_NODE_WIDTH, node.width),
    height: Math.ceil(Math.max(TITLE_HEIGHT + node.height, needed)),
    inputs: node.inputs.map((_, i) => byWidget.get(i) ?? middleOf(rows.indexOf(i))),
    outputs: node.outputs.map((_, i) => middleOf(i)),
    rows,
    widgets,
    media,
  };
}

/** The least each widget needs; texts share what the node has left, unless pictures take it. */
function heightsOf(node: Node, content: NodeContent, start: number): readonly number[] {
  const isNote = node.type === NOTE || node.type === MARKDOWN_NOTE;
  const least = content.widgets.map(({ input }) => (isNote ? NOTE_HEIGHT : heightOf(input) * WIDGET_ROW));
  const tall = content.widgets.filter(({ input }) => isTall(input)).length;
  if (tall === 0 || content.hasPictures) return least;
  const results = content.hasTexts ? TEXT_RESULT : 0;
  const left = Math.max(0, TITLE_HEIGHT + node.height - start - sum(least) - PAD - results);
  return least.map((height, i) => height + (isTall(content.widgets[i]?.input ?? NOTHING) ? left / tall : 0));
}

const NOTHING: InputType = { name: "", type: "", required: false, choices: null, options: {} };

function stacked(
  widgets: readonly ShownWidget[],
  heights: readonly number[],
  start: number,
  slots: ReadonlyMap<string, number>,
): readonly WidgetStrip[] {
  let y = start;
  return widgets.map(({ input, inner }, i) => {
    const height = heights[i] ?? WIDGET_ROW;
    const strip = { input, inner, y, height, slot: inner === null ? (slots.get(input.name) ?? null) : null };
    y += height;
    return strip;
  });
}

/** What the node's height leaves, when that is enough to see something; else as much as is usual. */
function mediaStrip(node: Node, content: NodeContent, start: number): Strip | null {
  if (!content.hasPictures && !content.hasTexts) return null;
  const left = TITLE_HEIGHT + node.height - start - PAD;
  if (!content.hasPictures) return { y: start, height: Math.max(TEXT_RESULT, left) };
  return { y: start, height: left >= MEDIA_LEAST ? left : Math.min(MEDIA_USUAL, Math.max(MEDIA_LEAST, node.width)) };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** The smallest rectangle around others; null around none. */
export function around(rects: Iterable<Rect>): Rect | null {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y, width, height } of rects) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x + width);
    bottom = Math.max(bottom, y + height);
  }
  return left > right ? null : { x: left, y: top, width: right - left, height: bottom - top };
}

export function overlaps(one: Rect, other: Rect): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}

/** In the order people read: by rows of about a node's height, and in each from left to right. */
export function readingOrder<T extends Rect>(rects: readonly T[]): readonly T[] {
  const sorted = rects.toSorted((one, other) => one.y - other.y || one.x - other.x);
  const lines: T[][] = [];
  let bottom = -Infinity;
  for (const rect of sorted) {
    const line = lines.at(-1);
    if (line === undefined || rect.y > bottom) {
      lines.push([rect]);
      bottom = rect.y + Math.min(rect.height, 120) / 2;
    } else line.push(rect);
  }
  return lines.flatMap((line) => line.toSorted((one, other) => one.x - other.x || one.y - other.y));
}
