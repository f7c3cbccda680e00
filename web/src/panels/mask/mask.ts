/**
 * A mask in tiles of 256 × 256: 0 is kept, 255 is masked. A tile of one value is that number, so that an empty mask of
 * 60 megapixels takes no room, and tiles are never written to after they were handed out: undo keeps the old ones. No
 * DOM.
 */

import type { Point, Size } from "@/panels/lightbox/zoom";

import { type Brush, distanceToLine, STEPS, strengths } from "./brush";

export const TILE = 256;

/** All pixels alike, or TILE × TILE bytes. */
export type Tile = number | Uint8Array;

export interface Mask extends Size {
  readonly columns: number;
  readonly rows: number;
  readonly tiles: Tile[];
}

/** What a change replaced: tiles by their place. */
export type Replaced = Map<number, Tile>;

export function emptyMask({ width, height }: Size): Mask {
  const [columns, rows] = [Math.ceil(width / TILE), Math.ceil(height / TILE)];
  return { width, height, columns, rows, tiles: Array.from({ length: columns * rows }, () => 0) };
}

export function valueAt(mask: Mask, x: number, y: number): number {
  const tile = mask.tiles[Math.floor(y / TILE) * mask.columns + Math.floor(x / TILE)] ?? 0;
  return typeof tile === "number" ? tile : (tile[(y % TILE) * TILE + (x % TILE)] ?? 0);
}

/** One row of the mask, for writing files. */
export function rowAt(mask: Mask, y: number, into: Uint8Array): void {
  const offset = (y % TILE) * TILE;
  for (let column = 0; column < mask.columns; column += 1) {
    const tile = mask.tiles[Math.floor(y / TILE) * mask.columns + column] ?? 0;
    const start = column * TILE;
    const count = Math.min(TILE, mask.width - start);
    if (typeof tile === "number") into.fill(tile, start, start + count);
    else into.set(tile.subarray(offset, offset + count), start);
  }
}

/** A mask from a part of a picture: `alpha` has four bytes a pixel, and what is see-through is masked. */
export function tileOfAlpha(rgba: Uint8ClampedArray, width: number, height: number): Tile {
  const tile = new Uint8Array(TILE * TILE);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) tile[y * TILE + x] = 255 - (rgba[(y * width + x) * 4 + 3] ?? 255);
  }
  return width === TILE && height === TILE ? compact(tile) : compactPart(tile, width, height);
}

// ----------------------------------------------------------------------------------------------------------- strokes

export interface Stroke {
  readonly erases: boolean;
  /** The tiles as they were when the stroke began. */
  readonly before: Replaced;
  /** How strong the stroke was so far: going over the same place twice does not make it stronger. */
  readonly coverage: Map<number, Uint8Array>;
}

export function beginStroke(erases: boolean): Stroke {
  return { erases, before: new Map(), coverage: new Map() };
}

/** Paints from one point to another. Returns: the places of the tiles that changed. */
export function paint(mask: Mask, stroke: Stroke, brush: Brush, from: Point, to: Point): number[] {
  const table = strengths(brush);
  const reach = brush.radius + 1;
  const changed: number[] = [];
  const [left, right] = span(from.x, to.x, reach, mask.width);
  const [top, bottom] = span(from.y, to.y, reach, mask.height);
  for (let row = Math.floor(top / TILE); row * TILE < bottom; row += 1) {
    for (let column = Math.floor(left / TILE); column * TILE < right; column += 1) {
      const middle = distanceToLine((column + 0.5) * TILE, (row + 0.5) * TILE, from, to);
      if (middle > reach + TILE * Math.SQRT1_2) continue;
      const place = row * mask.columns + column;
      const box = {
        left: Math.max(left, column * TILE),
        right: Math.min(right, (column + 1) * TILE),
        top: Math.max(top, row * TILE),
        bottom: Math.min(bottom, (row + 1) * TILE),
      };
      if (paintTile(mask, stroke, place, box, table, from, to)) changed.push(place);
    }
  }
  return changed;
}

/** Ends a stroke. Returns: what it replaced, for undo; tiles that became one value are that number again. */
export function endStroke(mask: Mask, stroke: Stroke): Replaced {
  for (const place of stroke.before.keys()) mask.tiles[place] = compact(mask.tiles[place] ?? 0);
  return stroke.before;
}

/** Every value by another: invert, clear, fill. Returns: what was replaced. */
export function changeAll(mask: Mask, change: (value: number) => number): Replaced {
  const replaced: Replaced = new Map();
  mask.tiles.forEach((tile, place) => {
    const next = typeof tile === "number" ? change(tile) : compact(tile.map(change));
    if (next === tile) return;
    replaced.set(place, tile);
    mask.tiles[place] = next;
  });
  return replaced;
}

/** A rectangle all masked, or none of it. Returns: what was replaced. */
export function fillBox(mask: Mask, one: Point, other: Point, value: number): Replaced {
  const [left, right] = span(one.x, other.x, 0, mask.width);
  const [top, bottom] = span(one.y, other.y, 0, mask.height);
  const replaced: Replaced = new Map();
  for (let y = top; y < bottom; y += 1) {
    for (let column = Math.floor(left / TILE); column * TILE < right; column += 1) {
      const place = Math.floor(y / TILE) * mask.columns + column;
      const tile = writable(mask, place, replaced);
      const line = (y % TILE) * TILE - column * TILE;
      tile.fill(value, line + Math.max(left, column * TILE), line + Math.min(right, (column + 1) * TILE));
    }
  }
  for (const place of replaced.keys()) mask.tiles[place] = compact(mask.tiles[place] ?? 0);
  return replaced;
}

interface Bounds {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

function paintTile(
  mask: Mask,
  stroke: Stroke,
  place: number,
  box: Bounds,
  table: Uint8Array,
  from: Point,
  to: Point,
): boolean {
  const covered = stroke.coverage.get(place) ?? new Uint8Array(TILE * TILE);
  const before = stroke.before.get(place) ?? mask.tiles[place] ?? 0;
  const [x0, y0] = [(place % mask.columns) * TILE, Math.floor(place / mask.columns) * TILE];
  let tile: Uint8Array | null = null;
  for (let y = box.top; y < box.bottom; y += 1) {
    for (let x = box.left; x < box.right; x += 1) {
      const at = (y - y0) * TILE + x - x0;
      if (covered[at] === 255) continue; // most of a stroke: the brush moves by less than its width
      const amount = table[Math.round(distanceToLine(x + 0.5, y + 0.5, from, to) * STEPS)] ?? 0;
      if (amount <= (covered[at] ?? 0)) continue;
      covered[at] = amount;
      tile ??= writable(mask, place, stroke.before);
      const old = typeof before === "number" ? before : (before[at] ?? 0);
      tile[at] = stroke.erases
        ? Math.round((old * (255 - amount)) / 255)
        : old + Math.round(((255 - old) * amount) / 255);
    }
  }
  if (tile !== null) stroke.coverage.set(place, covered);
  return tile !== null;
}

/** The tile's own bytes, a copy of what was there when this change has not touched it yet. */
function writable(mask: Mask, place: number, before: Replaced): Uint8Array {
  const tile = mask.tiles[place] ?? 0;
  if (before.has(place) && typeof tile !== "number") return tile;
  if (!before.has(place)) before.set(place, tile);
  const own = typeof tile === "number" ? new Uint8Array(TILE * TILE).fill(tile) : tile.slice();
  mask.tiles[place] = own;
  return own;
}

function compact(tile: Tile): Tile {
  if (typeof tile === "number") return tile;
  const first = tile[0] ?? 0;
  return tile.every((value) => value === first) ? first : tile;
}

/** A tile at the right or lower edge is one value when the part inside the picture is. */
function compactPart(tile: Uint8Array, width: number, height: number): Tile {
  const first = tile[0] ?? 0;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) if (tile[y * TILE + x] !== first) return tile;
  }
  return first;
}

/** The pixels within reach of both ends, inside the picture: from, and up to but not with. */
function span(one: number, other: number, reach: number, length: number): readonly [number, number] {
  const from = Math.max(0, Math.floor(Math.min(one, other) - reach));
  return [from, Math.min(length, Math.ceil(Math.max(one, other) + reach))];
}
