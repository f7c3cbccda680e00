/** Draws the part of a mask that is in sight: each tile is a small canvas, made anew only when it changed. */

import type { Size, View } from "@/panels/lightbox/zoom";
import { PIXELATED_FROM } from "@/panels/lightbox/zoom";

import { type Mask, TILE, type Tile } from "./mask";

/** Canvases of tiles out of sight that are kept; each is 256 KB. */
const MOST_KEPT = 300;

export class MaskPicture {
  private readonly tiles = new Map<number, { readonly tile: Tile; readonly canvas: HTMLCanvasElement }>();

  /** `changed`: tiles that were painted on in place. `color`: any CSS colour. */
  draw(
    canvas: HTMLCanvasElement,
    mask: Mask,
    view: View,
    frame: Size,
    color: string,
    changed: ReadonlySet<number>,
  ): void {
    const ratio = window.devicePixelRatio;
    const [width, height] = [Math.round(frame.width * ratio), Math.round(frame.height * ratio)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    if (context === null) return;
    for (const place of changed) this.tiles.delete(place);
    context.globalCompositeOperation = "source-over";
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = view.scale <= PIXELATED_FROM;
    const seen = this.drawTiles(context, mask, view, frame, ratio);
    context.globalAlpha = 1;
    context.globalCompositeOperation = "source-in"; // the tiles are white; where they are, the colour comes
    context.fillStyle = color;
    context.fillRect(0, 0, width, height);
    if (this.tiles.size > MOST_KEPT + seen.size) {
      for (const place of this.tiles.keys()) if (!seen.has(place)) this.tiles.delete(place);
    }
  }

  private drawTiles(
    context: CanvasRenderingContext2D,
    mask: Mask,
    view: View,
    frame: Size,
    ratio: number,
  ): ReadonlySet<number> {
    const seen = new Set<number>();
    const first = (start: number) => Math.max(0, Math.floor(-start / view.scale / TILE));
    const end = (start: number, length: number) => Math.ceil((length - start) / view.scale / TILE);
    context.fillStyle = "#fff";
    for (let row = first(view.y); row < Math.min(mask.rows, end(view.y, frame.height)); row += 1) {
      for (let column = first(view.x); column < Math.min(mask.columns, end(view.x, frame.width)); column += 1) {
        const place = row * mask.columns + column;
        const tile = mask.tiles[place] ?? 0;
        if (tile === 0) continue;
        // Rounded to whole pixels of the screen, so that neighbours meet without a seam.
        const x = (at: number) => Math.round((view.x + Math.min(at * TILE, mask.width) * view.scale) * ratio);
        const y = (at: number) => Math.round((view.y + Math.min(at * TILE, mask.height) * view.scale) * ratio);
        const [left, top, right, bottom] = [x(column), y(row), x(column + 1), y(row + 1)];
        if (typeof tile === "number") {
          context.globalAlpha = tile / 255;
          context.fillRect(left, top, right - left, bottom - top);
          continue;
        }
        seen.add(place);
        const width = Math.min(TILE, mask.width - column * TILE);
        const height = Math.min(TILE, mask.height - row * TILE);
        context.globalAlpha = 1;
        context.drawImage(this.canvasOf(place, tile), 0, 0, width, height, left, top, right - left, bottom - top);
      }
    }
    return seen;
  }

  private canvasOf(place: number, tile: Uint8Array): HTMLCanvasElement {
    const known = this.tiles.get(place);
    if (known?.tile === tile) return known.canvas;
    const canvas = known?.canvas ?? document.createElement("canvas");
    canvas.width = TILE;
    canvas.height = TILE;
    const pixels = new ImageData(TILE, TILE);
    const words = new Uint32Array(pixels.data.buffer);
    // Little-endian, as every machine that browsers run on: alpha is the highest byte.
    for (let i = 0; i < words.length; i += 1) words[i] = ((tile[i] ?? 0) << 24) | 0xffffff;
    canvas.getContext("2d")?.putImageData(pixels, 0, 0);
    this.tiles.set(place, { tile, canvas });
    return canvas;
  }
}
