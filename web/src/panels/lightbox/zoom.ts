/**
 * Where a picture lies in its frame, and how wheel, pinch, keys and drags change that. The lightbox, the compare view
 * and the mask editor share it. No DOM: numbers in, numbers out.
 */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The picture's top left corner in the frame, and how many of the frame's pixels one of the picture's takes. */
export interface View extends Point {
  readonly scale: number;
}

/** One step of the + and − keys. */
export const ZOOM_STEP = 1.25;
const MAX_SCALE = 64;
/** From here on a pixel is drawn as a square, so that one sees exactly what is there. */
export const PIXELATED_FROM = 2;

/** The whole picture, as large as the frame allows, in its middle. */
export function fitted(picture: Size, frame: Size): View {
  return centred(picture, frame, Math.min(frame.width / picture.width, frame.height / picture.height, MAX_SCALE));
}

export function centred(picture: Size, frame: Size, scale: number): View {
  return { x: (frame.width - picture.width * scale) / 2, y: (frame.height - picture.height * scale) / 2, scale };
}

export function isFitted(view: View, picture: Size, frame: Size): boolean {
  return Math.abs(view.scale / fitted(picture, frame).scale - 1) < 1e-6;
}

/** Zoomed by a factor so that what is below `point` stays there; then moved back into the frame. */
export function zoomedAround(view: View, point: Point, factor: number, picture: Size, frame: Size): View {
  const smallest = Math.min(fitted(picture, frame).scale, 1);
  const scale = Math.min(MAX_SCALE, Math.max(smallest, view.scale * factor));
  const ratio = scale / view.scale;
  const moved = { x: point.x - (point.x - view.x) * ratio, y: point.y - (point.y - view.y) * ratio, scale };
  return inFrame(moved, picture, frame);
}

export function panned(view: View, by: Point, picture: Size, frame: Size): View {
  return inFrame({ ...view, x: view.x + by.x, y: view.y + by.y }, picture, frame);
}

/** Two fingers: the picture's points below them stay below them, as far as the limits allow. */
export function pinched(
  view: View,
  from: readonly [Point, Point],
  to: readonly [Point, Point],
  picture: Size,
  frame: Size,
): View {
  const before = middle(...from);
  const after = middle(...to);
  const factor = distance(...to) / Math.max(1, distance(...from));
  const zoomed = zoomedAround(view, before, factor, picture, frame);
  return panned(zoomed, { x: after.x - before.x, y: after.y - before.y }, picture, frame);
}

/** Double click: 100 % around the point when all is seen, all when not. */
export function toggled(view: View, point: Point, picture: Size, frame: Size): View {
  const fit = fitted(picture, frame);
  if (!isFitted(view, picture, frame)) return fit;
  const wanted = Math.abs(fit.scale - 1) < 0.05 ? 2 : 1;
  return zoomedAround(view, point, wanted / view.scale, picture, frame);
}

/** The same view after its frame changed its size: fitted stays fitted, else the middle stays the middle. */
export function resized(view: View, picture: Size, from: Size, to: Size): View {
  if (isFitted(view, picture, from)) return fitted(picture, to);
  return panned(view, { x: (to.width - from.width) / 2, y: (to.height - from.height) / 2 }, picture, to);
}

/** How a wheel's turn zooms, whatever unit the browser counts in (pixels, lines, pages). */
export function wheelFactor(deltaY: number, deltaMode: number): number {
  const pixels = deltaY * ([1, 16, 400][deltaMode] ?? 1);
  return Math.exp(-Math.max(-200, Math.min(200, pixels)) * 0.002);
}

/** A point of the frame in the picture's pixels. */
export function inPicture(view: View, point: Point): Point {
  return { x: (point.x - view.x) / view.scale, y: (point.y - view.y) / view.scale };
}

function middle(one: Point, other: Point): Point {
  return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
}

function distance(one: Point, other: Point): number {
  return Math.hypot(one.x - other.x, one.y - other.y);
}

function inFrame(view: View, picture: Size, frame: Size): View {
  return {
    x: alongAxis(view.x, picture.width * view.scale, frame.width),
    y: alongAxis(view.y, picture.height * view.scale, frame.height),
    scale: view.scale,
  };
}

/** In the middle when it is smaller than the frame; else without a gap at either side. */
function alongAxis(start: number, length: number, frame: number): number {
  return length <= frame ? (frame - length) / 2 : Math.min(0, Math.max(frame - length, start));
}
