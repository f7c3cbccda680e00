/** A mask being painted: the stroke under the hand, what can be undone, and who wants to know. No DOM. */

import type { Point } from "@/panels/lightbox/zoom";

import type { Brush } from "./brush";
import { beginStroke, changeAll, endStroke, fillBox, type Mask, paint, type Replaced, type Stroke } from "./mask";
import { NO_STEPS, redone, type Steps, taken, undone } from "./steps";

export interface PainterState {
  readonly canUndo: boolean;
  readonly canRedo: boolean;
}

export class MaskPainter {
  private steps: Steps = NO_STEPS;
  private stroke: Stroke | null = null;
  private at: Point = { x: 0, y: 0 };
  private changed = new Set<number>();
  private known: PainterState = { canUndo: false, canRedo: false };
  private readonly listeners = new Set<() => void>();

  constructor(readonly mask: Mask) {}

  readonly state = (): PainterState => this.known;

  /** Told of every change of a pixel. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** The places of tiles that changed since this was asked last. */
  takeChanged(): ReadonlySet<number> {
    const { changed } = this;
    this.changed = new Set();
    return changed;
  }

  get isPainting(): boolean {
    return this.stroke !== null;
  }

  begin(brush: Brush, erases: boolean, at: Point): void {
    this.end();
    this.stroke = beginStroke(erases);
    this.at = at;
    this.strokeTo(brush, at);
  }

  strokeTo(brush: Brush, at: Point): void {
    if (this.stroke === null) return;
    const places = paint(this.mask, this.stroke, brush, this.at, at);
    this.at = at;
    if (places.length > 0) this.tell(places);
  }

  end(): void {
    if (this.stroke === null) return;
    const { before } = this.stroke;
    endStroke(this.mask, this.stroke);
    this.stroke = null;
    this.record(before);
  }

  /** The stroke was none: the second finger of a pinch came down. */
  cancel(): void {
    if (this.stroke === null) return;
    for (const [place, tile] of this.stroke.before) this.mask.tiles[place] = tile;
    const places = [...this.stroke.before.keys()];
    this.stroke = null;
    this.tell(places);
  }

  invert(): void {
    this.record(changeAll(this.mask, (value) => 255 - value));
  }

  clear(): void {
    this.record(changeAll(this.mask, () => 0));
  }

  fillRectangle(one: Point, other: Point, erases: boolean): void {
    this.record(fillBox(this.mask, one, other, erases ? 0 : 255));
  }

  undo(): void {
    this.end();
    const places = [...(this.steps.past.at(-1)?.keys() ?? [])];
    this.steps = undone(this.steps, this.mask);
    this.tell(places);
  }

  redo(): void {
    this.end();
    const places = [...(this.steps.future[0]?.keys() ?? [])];
    this.steps = redone(this.steps, this.mask);
    this.tell(places);
  }

  private record(replaced: Replaced): void {
    this.steps = taken(this.steps, replaced);
    this.tell(replaced.keys());
  }

  private tell(places: Iterable<number>): void {
    for (const place of places) this.changed.add(place);
    const [canUndo, canRedo] = [this.steps.past.length > 0, this.steps.future.length > 0];
    if (canUndo !== this.known.canUndo || canRedo !== this.known.canRedo) this.known = { canUndo, canRedo };
    for (const listener of this.listeners) listener();
  }
}
