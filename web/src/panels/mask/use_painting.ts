/** What pointers and keys do on the picture: paint, erase, fill a rectangle, move. One place for the brush, two hands. */

import { type KeyboardEvent, type PointerEvent, useRef, useState } from "react";

import type { Zoom } from "@/panels/lightbox/use_zoom";
import { inPicture, type Point, type Size } from "@/panels/lightbox/zoom";

import { type Brush, pressedRadius } from "./brush";
import { brushNow, useBrush } from "./brush_settings";
import type { MaskPainter } from "./painter";

interface Painting {
  /** Where the brush is, in the picture's pixels; null: not over it. */
  readonly cursor: Point | null;
  /** The other corner of a rectangle that is being drawn. */
  readonly corner: Point | null;
  readonly pointers: {
    readonly onPointerDown: (event: PointerEvent<HTMLElement>) => void;
    readonly onPointerMove: (event: PointerEvent<HTMLElement>) => void;
    readonly onPointerUp: (event: PointerEvent<HTMLElement>) => void;
    readonly onPointerCancel: (event: PointerEvent<HTMLElement>) => void;
    readonly onPointerLeave: (event: PointerEvent<HTMLElement>) => void;
  };
  readonly onKeyDown: (event: KeyboardEvent<HTMLElement>) => void;
  readonly onKeyUp: (event: KeyboardEvent<HTMLElement>) => void;
  readonly onBlur: () => void;
}

type Deed = "paint" | "rectangle" | "move" | "pinch";

/** Pixels of the screen that an arrow key moves the brush. */
const STEP = 10;

/** The brush over the picture, for both hands. */
interface Work {
  readonly painter: MaskPainter;
  readonly zoom: Zoom;
  readonly cursor: Point | null;
  readonly corner: Point | null;
  readonly setCursor: (at: Point | null) => void;
  readonly setCorner: (at: Point | null) => void;
}

export function usePainting(painter: MaskPainter, zoom: Zoom): Painting {
  const [cursor, setCursor] = useState<Point | null>(null);
  const [corner, setCorner] = useState<Point | null>(null);
  const work: Work = { painter, zoom, cursor, corner, setCursor, setCorner };
  const { pointers, isAtWork } = usePointers(work);
  return {
    cursor,
    corner,
    pointers,
    onKeyDown: (event) => pressKey(event, work),
    onKeyUp: (event) => {
      if (event.key === " " && !isAtWork()) painter.end();
    },
    onBlur: () => {
      if (!isAtWork()) painter.end();
    },
  };
}

interface Pointers {
  readonly pointers: Painting["pointers"];
  /** Whether a pointer is down. */
  readonly isAtWork: () => boolean;
}

function usePointers(work: Work): Pointers {
  const { painter, zoom, setCursor, setCorner } = work;
  const deed = useRef<Deed | null>(null);
  const fingers = useRef(new Map<number, Point>());
  const hasPen = useRef(false);

  const onPointerDown = (event: PointerEvent<HTMLElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    const at = frameOf(event.currentTarget, event);
    fingers.current.set(event.pointerId, at);
    hasPen.current ||= event.pointerType === "pen";
    if (fingers.current.size > 1) {
      painter.cancel();
      setCorner(null);
      deed.current = "pinch";
      return;
    }
    deed.current = deedOf(event, hasPen.current);
    const place = inPixels(zoom, at);
    if (deed.current === "rectangle") setCorner(place);
    else if (deed.current === "paint") painter.begin(brushOf(event.nativeEvent), isErasing(event), place);
    setCursor(place);
  };

  const onPointerMove = (event: PointerEvent<HTMLElement>) => {
    const at = frameOf(event.currentTarget, event);
    const from = fingers.current.get(event.pointerId);
    if (event.pointerType !== "touch" || from !== undefined) setCursor(inPixels(zoom, at));
    if (from === undefined) return;
    fingers.current.set(event.pointerId, at);
    if (deed.current === "move") zoom.move({ x: at.x - from.x, y: at.y - from.y });
    else if (deed.current === "pinch") {
      const other = [...fingers.current].find(([id]) => id !== event.pointerId)?.[1];
      if (other !== undefined) zoom.pinch([from, other], [at, other]);
    } else if (deed.current === "paint") stroke(event, work);
  };

  const finish = (event: PointerEvent<HTMLElement>, counts: boolean) => {
    if (!fingers.current.delete(event.pointerId) || fingers.current.size > 0) return;
    if (deed.current === "rectangle" && work.corner !== null && counts) {
      painter.fillRectangle(work.corner, inPixels(zoom, frameOf(event.currentTarget, event)), isErasing(event));
    }
    if (counts) painter.end();
    else painter.cancel();
    setCorner(null);
    deed.current = null;
    if (event.pointerType === "touch") setCursor(null);
  };

  const pointers: Painting["pointers"] = {
    onPointerDown,
    onPointerMove,
    onPointerUp: (event) => finish(event, true),
    onPointerCancel: (event) => finish(event, false),
    onPointerLeave: (event) => {
      if (fingers.current.size === 0 && event.pointerType !== "touch") setCursor(null);
    },
  };
  return { pointers, isAtWork: () => deed.current !== null };
}

/** What one pointer alone does. While there is a pen, what touches is the palm. */
function deedOf(event: PointerEvent, hasPen: boolean): Deed {
  const { tool } = useBrush.getState();
  const isPalm = hasPen && event.pointerType === "touch";
  if (tool === "hand" || event.button === 1 || isPalm) return "move";
  return tool === "rectangle" ? "rectangle" : "paint";
}

/** Paints through every place that the pointer was at since the last event. */
function stroke(event: PointerEvent<HTMLElement>, { painter, zoom }: Work): void {
  const all = event.nativeEvent.getCoalescedEvents();
  for (const each of all.length > 0 ? all : [event.nativeEvent]) {
    painter.strokeTo(brushOf(each), inPixels(zoom, frameOf(event.currentTarget, each)));
  }
}

function pressKey(event: KeyboardEvent<HTMLElement>, work: Work): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { painter, zoom, corner } = work;
  const here = work.cursor ?? middleOf(zoom);
  if (event.key === " ") pressSpace(here, work);
  else if (event.key === "Enter" && corner !== null) pressSpace(here, work);
  else if (event.key === "Escape" && corner !== null) work.setCorner(null);
  else {
    const way = WAYS[event.key];
    if (way === undefined) return;
    const step = event.shiftKey ? 1 : Math.max(1, Math.round(STEP / (zoom.view?.scale ?? 1)));
    const there = within({ x: here.x + way.x * step, y: here.y + way.y * step }, painter.mask);
    work.setCursor(there);
    painter.strokeTo(brushNow(), there);
    follow(zoom, there);
  }
  event.preventDefault();
  event.stopPropagation();
}

/** Space holds the brush down; for a rectangle it is one corner, then the other. */
function pressSpace(here: Point, { painter, corner, setCursor, setCorner }: Work): void {
  const { tool } = useBrush.getState();
  setCursor(here);
  if (tool === "rectangle") {
    if (corner === null) setCorner(here);
    else {
      painter.fillRectangle(corner, here, false);
      setCorner(null);
    }
  } else if (!painter.isPainting && tool !== "hand") painter.begin(brushNow(), tool === "eraser", here);
}

/** A place of the frame in the picture's pixels. */
function inPixels({ view }: Zoom, point: Point): Point {
  return view === null ? point : inPicture(view, point);
}

function middleOf(zoom: Zoom): Point {
  const { frame } = zoom;
  return inPixels(zoom, frame === null ? { x: 0, y: 0 } : { x: frame.width / 2, y: frame.height / 2 });
}

/** Where in the frame. */
function frameOf(element: HTMLElement, event: { readonly clientX: number; readonly clientY: number }): Point {
  const box = element.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

const WAYS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

function brushOf({ pointerType, pressure }: { readonly pointerType: string; readonly pressure: number }): Brush {
  const brush = brushNow();
  return { ...brush, radius: pressedRadius(brush.radius, pointerType, pressure) };
}

/** The eraser, the pen's other end, or the right button. */
function isErasing({ button, buttons }: { readonly button: number; readonly buttons: number }): boolean {
  return useBrush.getState().tool === "eraser" || button === 2 || button === 5 || (buttons & 34) !== 0;
}

function within({ x, y }: Point, { width, height }: Size): Point {
  return { x: Math.min(width, Math.max(0, x)), y: Math.min(height, Math.max(0, y)) };
}

/** Moves the picture along when the brush leaves what one sees. */
function follow({ view, frame, move }: Zoom, at: Point): void {
  if (view === null || frame === null) return;
  const [x, y] = [view.x + at.x * view.scale, view.y + at.y * view.scale];
  const by = { x: over(x, frame.width), y: over(y, frame.height) };
  if (by.x !== 0 || by.y !== 0) move(by);
}

/** How far to move what is closer to an edge than 24 pixels. */
function over(place: number, length: number): number {
  return Math.min(0, length - 24 - place) + Math.max(0, 24 - place);
}
