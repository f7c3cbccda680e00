import { describe, expect, it } from "vitest";

import { emptyMask, valueAt } from "@/panels/mask/mask";
import { MaskPainter } from "@/panels/mask/painter";

const brush = { radius: 5, hardness: 1 };

function painter(): MaskPainter {
  return new MaskPainter(emptyMask({ width: 600, height: 100 }));
}

describe("painting with a hand", () => {
  it("tells which tiles changed, once", () => {
    const one = painter();
    one.begin(brush, false, { x: 250, y: 50 });
    one.strokeTo(brush, { x: 270, y: 50 });
    expect([...one.takeChanged()].toSorted()).toEqual([0, 1]);
    expect(one.takeChanged().size).toBe(0);
    one.end();
    one.undo();
    expect([...one.takeChanged()].toSorted()).toEqual([0, 1]);
  });

  it("takes a stroke back that turned out to be a pinch, and leaves no step to undo", () => {
    const one = painter();
    one.begin(brush, false, { x: 50, y: 50 });
    one.cancel();
    one.end();
    expect(valueAt(one.mask, 50, 50)).toBe(0);
    expect(one.state()).toEqual({ canUndo: false, canRedo: false });
  });

  it("is told of every pixel but says anew only what can be undone", () => {
    const one = painter();
    let told = 0;
    const stop = one.subscribe(() => (told += 1));
    const before = one.state();
    one.begin(brush, false, { x: 50, y: 50 });
    one.strokeTo(brush, { x: 60, y: 50 });
    expect(told).toBe(2);
    expect(one.state()).toBe(before);
    one.end();
    expect(one.state()).toEqual({ canUndo: true, canRedo: false });
    one.undo();
    expect(one.state()).toEqual({ canUndo: false, canRedo: true });
    one.redo();
    expect(valueAt(one.mask, 55, 50)).toBe(255);
    stop();
    const now = told;
    one.invert();
    expect(told).toBe(now);
  });

  it("ends a stroke that is under way before it undoes", () => {
    const one = painter();
    one.fillRectangle({ x: 0, y: 0 }, { x: 10, y: 10 }, false);
    one.begin(brush, false, { x: 50, y: 50 });
    one.undo();
    expect(valueAt(one.mask, 50, 50)).toBe(0);
    expect(valueAt(one.mask, 5, 5)).toBe(255);
  });
});
