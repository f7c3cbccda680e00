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

export function usePainting(painter: MaskPainter, zoom: Zoom): Painting {
  const [cursor, setCursor] = useState<Point | null>(null);
  const [corner, setCorner] = useState<Point | null>(null);
  const fingers = useRef(new Map<number, Point>());
  const deed = useRef<Deed | null>(null);
  const hasPen = useRef(false);

  const inPixels = (point: Point): Point => (zoom.view === null ? point : inPicture(zoom.view, point));

  const onPointerDown = (event: PointerEvent<HTMLElement>) => {
    const element = event.currentTarget;
    element.setPointerCapture(event.pointerId);
    const at = frameOf(element, event);
    fingers.current.set(event.pointerId, at);
    hasPen.current ||= event.pointerType === "pen";
    if (fingers.current.size > 1) {
      painter.cancel();
      setCorner(null);
      deed.current = "pinch";
      return;
    }
    const { tool } = useBrush.getState();
    const isPalm = hasPen.current && event.pointerType === "touch";
    if (tool === "hand" || event.button === 1 || isPalm) deed.current = "move";
    else if (tool === "rectangle") {
      deed.current = "rectangle";
      setCorner(inPixels(at));
    } else {
      deed.current = "paint";
      painter.begin(brushOf(event.nativeEvent), isErasing(event), inPixels(at));
    }
    setCursor(inPixels(at));
  };

  const onPointerMove = (event: PointerEvent<HTMLElement>) => {
    const element = event.currentTarget;
    const at = frameOf(element, event);
    const from = fingers.current.get(event.pointerId);
    if (event.pointerType !== "touch" || from !== undefined) setCursor(inPixels(at));
    if (from === undefined) return;
    fingers.current.set(event.pointerId, at);
    if (deed.current === "move") zoom.move({ x: at.x - from.x, y: at.y - from.y });
    else if (deed.current === "pinch") {
      const other = [...fingers.current].find(([id]) => id !== event.pointerId)?.[1];
      if (other !== undefined) zoom.pinch([from, other], [at, other]);
    } else if (deed.current === "paint") {
      const all = event.nativeEvent.getCoalescedEvents();
      for (const each of all.length > 0 ? all : [event.nativeEvent]) {
        painter.strokeTo(brushOf(each), inPixels(frameOf(element, each)));
      }
    }
  };

  const finish = (event: PointerEvent<HTMLElement>, counts: boolean) => {
    if (!fingers.current.delete(event.pointerId) || fingers.current.size > 0) return;
    const at = inPixels(frameOf(event.currentTarget, event));
    if (deed.current === "rectangle" && corner !== null && counts) painter.fillRectangle(corner, at, isErasing(event));
    if (counts) painter.end();
    else painter.cancel();
    setCorner(null);
    deed.current = null;
    if (event.pointerType === "touch") setCursor(null);
  };

  const middle = (): Point => {
    const { frame } = zoom;
    return inPixels(frame === null ? { x: 0, y: 0 } : { x: frame.width / 2, y: frame.height / 2 });
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = cursor ?? middle();
    if (event.key === " ") pressSpace(here);
    else if (event.key === "Enter" && corner !== null) pressSpace(here);
    else if (event.key === "Escape" && corner !== null) setCorner(null);
    else {
      const way = WAYS[event.key];
      if (way === undefined) return;
      const step = event.shiftKey ? 1 : Math.max(1, Math.round(STEP / (zoom.view?.scale ?? 1)));
      const there = within({ x: here.x + way.x * step, y: here.y + way.y * step }, painter.mask);
      setCursor(there);
      painter.strokeTo(brushNow(), there);
      follow(zoom, there);
    }
    event.preventDefault();
    event.stopPropagation();
  };

  /** Space holds the brush down; for a rectangle it is one corner, then the other. */
  const pressSpace = (here: Point) => {
    const { tool } = useBrush.getState();
    setCursor(here);
    if (tool === "rectangle") {
      if (corner === null) setCorner(here);
      else {
        painter.fillRectangle(corner, here, false);
        setCorner(null);
      }
    } else if (!painter.isPainting && tool !== "hand") painter.begin(brushNow(), tool === "eraser", here);
  };

  return {
    cursor,
    corner,
    pointers: {
      onPointerDown,
      onPointerMove,
      onPointerUp: (event) => finish(event, true),
      onPointerCancel: (event) => finish(event, false),
      onPointerLeave: (event) => {
        if (fingers.current.size === 0 && event.pointerType !== "touch") setCursor(null);
      },
    },
    onKeyDown,
    onKeyUp: (event) => {
      if (event.key === " " && deed.current === null) painter.end();
    },
    onBlur: () => {
      if (deed.current === null) painter.end();
    },
  };
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
