/** Zooming and moving a picture by wheel, pointer, fingers and keys. The numbers come from `zoom.ts`. */

import { type KeyboardEvent, type PointerEvent, useCallback, useEffect, useRef, useState } from "react";

import {
  centred,
  fitted,
  isFitted,
  panned,
  pinched,
  type Point,
  resized,
  type Size,
  toggled,
  type View,
  wheelFactor,
  ZOOM_STEP,
  zoomedAround,
} from "./zoom";

export interface Zoom {
  readonly setFrame: (element: HTMLDivElement | null) => void;
  readonly frame: Size | null;
  /** null until the picture's and the frame's size are known. */
  readonly view: View | null;
  readonly isFitted: boolean;
  readonly isDragged: boolean;
  readonly zoomBy: (factor: number, point?: Point) => void;
  /** 1: a pixel of the picture is one of the screen. */
  readonly zoomTo: (scale: number) => void;
  readonly fit: () => void;
  readonly move: (by: Point) => void;
  readonly pinch: (from: readonly [Point, Point], to: readonly [Point, Point]) => void;
  /** + − 0 1. Returns: whether it was one of its keys. */
  readonly onKey: (event: KeyboardEvent) => boolean;
  readonly pointers: {
    readonly onPointerDown: (event: PointerEvent<HTMLElement>) => void;
    readonly onPointerMove: (event: PointerEvent<HTMLElement>) => void;
    readonly onPointerUp: (event: PointerEvent<HTMLElement>) => void;
    readonly onPointerCancel: (event: PointerEvent<HTMLElement>) => void;
    readonly onDoubleClick: (event: { readonly clientX: number; readonly clientY: number }) => void;
  };
}

const SWIPE = 60;

interface ZoomOptions {
  /** A finger went sideways over a fitted picture; 1 is the next one. */
  readonly onSwipe?: (by: 1 | -1) => void;
  /** How many frames of one size stand side by side in the frame's parent and show the same view. */
  readonly panes?: 1 | 2;
}

/** Changes the view as a rule says that knows the picture's and the frame's size. */
type Change = (next: (view: View, picture: Size, frame: Size) => View) => void;

/** `key`: another one fits the view anew. */
export function useZoom(picture: Size | null, key: string, options: ZoomOptions = {}): Zoom {
  const [element, setFrame] = useState<HTMLDivElement | null>(null);
  const frame = useFrame(element);
  const [view, change] = useViewOf(picture, frame, key);
  const { panes = 1 } = options;
  const zoomBy = useCallback(
    (factor: number, point?: Point) =>
      change((now, of, inside) => zoomedAround(now, point ?? middleOf(inside), factor, of, inside)),
    [change],
  );
  const paneOf = useCallback(
    (x: number) => (panes === 1 || frame === null || x < frame.width ? 0 : x - (x % (frame.width + 1))),
    [frame, panes],
  );
  const zoomInPane = useCallback(
    (factor: number, { x, y }: Point) => zoomBy(factor, { x: x - paneOf(x), y }),
    [zoomBy, paneOf],
  );
  useWheel(element, panes, zoomInPane);

  const fits = view !== null && picture !== null && frame !== null && isFitted(view, picture, frame);
  const { isDragged, pointers } = usePointers({ element, fits, change, paneOf, onSwipe: options.onSwipe });
  const fit = () => change((_, of, inside) => fitted(of, inside));
  const zoomTo = (scale: number) =>
    change((now, of, inside) => {
      const next = zoomedAround(now, middleOf(inside), scale / now.scale, of, inside);
      return fits ? centred(of, inside, next.scale) : next;
    });

  return {
    setFrame,
    frame,
    view,
    isFitted: fits,
    isDragged,
    zoomBy,
    zoomTo,
    fit,
    move: (by) => change((now, of, inside) => panned(now, by, of, inside)),
    pinch: (from, to) => change((now, of, inside) => pinched(now, from, to, of, inside)),
    onKey: (event) => pressKey(event, { zoomBy, zoomTo, fit }),
    pointers,
  };
}

/** How the picture lies in the frame, and what changes that. */
function useViewOf(picture: Size | null, frame: Size | null, key: string): readonly [View | null, Change] {
  const [state, setState] = useState<{ key: string; view: View; frame: Size } | null>(null);
  const change = useCallback<Change>(
    (next) => {
      if (picture === null || frame === null) return;
      setState((before) => {
        const now = viewNow(before, picture, frame, key);
        return now === null ? before : { key, frame, view: next(now, picture, frame) };
      });
    },
    [picture, frame, key],
  );
  return [viewNow(state, picture, frame, key), change];
}

interface Pointed {
  readonly element: HTMLElement | null;
  readonly fits: boolean;
  readonly change: Change;
  /** Where the pane begins that has this place. */
  readonly paneOf: (x: number) => number;
  readonly onSwipe: ZoomOptions["onSwipe"];
}

function usePointers({ element, fits, change, paneOf, onSwipe }: Pointed): Pick<Zoom, "isDragged" | "pointers"> {
  const [isDragged, setDragged] = useState(false);
  const fingers = useRef(new Map<number, Point>());
  const swiped = useRef(0);

  const onPointerDown = (event: PointerEvent<HTMLElement>) => {
    if (event.button !== 0 || isControl(event.target)) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    fingers.current.set(event.pointerId, pointIn(element, event));
    swiped.current = 0;
    setDragged(true);
  };
  const onPointerMove = (event: PointerEvent<HTMLElement>) => {
    const from = fingers.current.get(event.pointerId);
    if (from === undefined) return;
    const to = pointIn(element, event);
    const other = [...fingers.current].find(([id]) => id !== event.pointerId)?.[1];
    fingers.current.set(event.pointerId, to);
    if (other !== undefined) {
      const left = paneOf(from.x);
      const [a, b, c] = [from, other, to].map(({ x, y }) => ({ x: x - left, y })) as [Point, Point, Point];
      change((now, of, inside) => pinched(now, [a, b], [c, b], of, inside));
    } else {
      if (fits && event.pointerType === "touch") swiped.current += to.x - from.x;
      change((now, of, inside) => panned(now, { x: to.x - from.x, y: to.y - from.y }, of, inside));
    }
  };
  const release = (event: PointerEvent<HTMLElement>, counts: boolean) => {
    if (!fingers.current.delete(event.pointerId)) return;
    if (fingers.current.size > 0) return;
    setDragged(false);
    if (counts && fits && Math.abs(swiped.current) > SWIPE) onSwipe?.(swiped.current < 0 ? 1 : -1);
  };
  const pointers: Zoom["pointers"] = {
    onPointerDown,
    onPointerMove,
    onPointerUp: (event) => release(event, true),
    onPointerCancel: (event) => release(event, false),
    onDoubleClick: (event) => {
      const { x, y } = pointIn(element, event);
      change((now, of, inside) => toggled(now, { x: x - paneOf(x), y }, of, inside));
    },
  };
  return { isDragged, pointers };
}

/** Returns: whether it was one of its keys. */
function pressKey(
  { key, ctrlKey, metaKey, altKey }: KeyboardEvent,
  { zoomBy, zoomTo, fit }: Pick<Zoom, "zoomBy" | "zoomTo" | "fit">,
): boolean {
  if (ctrlKey || metaKey || altKey) return false;
  if (key === "+" || key === "=") zoomBy(ZOOM_STEP);
  else if (key === "-") zoomBy(1 / ZOOM_STEP);
  else if (key === "0") fit();
  else if (key === "1") zoomTo(1);
  else return false;
  return true;
}

function pointIn(element: HTMLElement | null, event: { readonly clientX: number; readonly clientY: number }): Point {
  const box = element?.getBoundingClientRect();
  return { x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) };
}

function middleOf({ width, height }: Size): Point {
  return { x: width / 2, y: height / 2 };
}

function viewNow(
  state: { key: string; view: View; frame: Size } | null,
  picture: Size | null,
  frame: Size | null,
  key: string,
): View | null {
  if (picture === null || frame === null) return null;
  if (state === null || state.key !== key) return fitted(picture, frame);
  return state.frame === frame ? state.view : resized(state.view, picture, state.frame, frame);
}

/** The size of an element, kept up to date. */
export function useFrame(element: HTMLElement | null): Size | null {
  const [size, setSize] = useState<Size | null>(null);
  useEffect(() => {
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => {
      const [width, height] = [element.clientWidth, element.clientHeight];
      if (width > 0 && height > 0) setSize({ width, height });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);
  return size;
}

/** React's own wheel events cannot keep the page from zooming. */
function useWheel(frame: HTMLElement | null, panes: number, zoomBy: (factor: number, point: Point) => void): void {
  useEffect(() => {
    const surface = panes > 1 ? frame?.parentElement : frame;
    if (frame === null || surface === null || surface === undefined) return undefined;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const box = frame.getBoundingClientRect();
      zoomBy(wheelFactor(event.deltaY, event.deltaMode), { x: event.clientX - box.left, y: event.clientY - box.top });
    };
    surface.addEventListener("wheel", onWheel, { passive: false });
    return () => surface.removeEventListener("wheel", onWheel);
  }, [frame, panes, zoomBy]);
}

function isControl(target: EventTarget): boolean {
  return target instanceof Element && target.closest("button, a, input, [role=slider]") !== null;
}
