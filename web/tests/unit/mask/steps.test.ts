import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { beginStroke, changeAll, emptyMask, endStroke, fillBox, type Mask, paint, rowAt } from "@/panels/mask/mask";
import { bytesOf, NO_STEPS, redone, type Steps, taken, undone } from "@/panels/mask/steps";

function pixels(mask: Mask): string {
  const rows = Array.from({ length: mask.height }, (_, y) => {
    const row = new Uint8Array(mask.width);
    rowAt(mask, y, row);
    return Buffer.from(row).toString("base64");
  });
  return rows.join();
}

function step(id: number, bytes: number): Map<number, Uint8Array> {
  return new Map([[id, new Uint8Array(bytes)]]);
}

const place = fc.record({ x: fc.integer({ min: -20, max: 320 }), y: fc.integer({ min: -20, max: 300 }) });
const change = fc.oneof(
  fc.record({ kind: fc.constant("stroke" as const), from: place, to: place, erases: fc.boolean() }),
  fc.record({ kind: fc.constant("box" as const), from: place, to: place, erases: fc.boolean() }),
  fc.record({ kind: fc.constant("invert" as const), from: place, to: place, erases: fc.boolean() }),
);

describe("undo in the mask editor", () => {
  it("is exact: n undos and n redos of anything bring back every pixel", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), (changes) => {
        const mask = emptyMask({ width: 300, height: 280 });
        let steps: Steps = NO_STEPS;
        const seen = [pixels(mask)];
        for (const { kind, from, to, erases } of changes) {
          let replaced = new Map();
          if (kind === "invert") replaced = changeAll(mask, (value) => 255 - value);
          else if (kind === "box") replaced = fillBox(mask, from, to, erases ? 0 : 255);
          else {
            const stroke = beginStroke(erases);
            paint(mask, stroke, { radius: 15, hardness: 0.5 }, from, to);
            replaced = endStroke(mask, stroke);
          }
          const before = steps;
          steps = taken(steps, replaced);
          if (steps !== before) seen.push(pixels(mask));
        }
        const count = steps.past.length;
        for (let i = count; i > 0; i -= 1) {
          expect(pixels(mask)).toBe(seen[i]);
          steps = undone(steps, mask);
        }
        expect(pixels(mask)).toBe(seen[0]);
        for (let i = 0; i < count; i += 1) steps = redone(steps, mask);
        expect(pixels(mask)).toBe(seen[count]);
      }),
      { numRuns: 40 },
    );
  });

  it("keeps within its memory and forgets the oldest first, never the newest", () => {
    let steps = NO_STEPS;
    for (let i = 0; i < 10; i += 1) steps = taken(steps, step(i, 100), 350);
    expect(steps.past.map((each) => [...each.keys()][0])).toEqual([7, 8, 9]);
    expect(steps.past.reduce((sum, each) => sum + bytesOf(each), 0)).toBeLessThanOrEqual(350);
    steps = taken(steps, step(99, 1000), 350);
    expect(steps.past.map((each) => [...each.keys()][0])).toEqual([99]);
  });

  it("counts a change of nothing as none, and a new change ends what could be redone", () => {
    const mask = emptyMask({ width: 10, height: 10 });
    expect(taken(NO_STEPS, new Map())).toBe(NO_STEPS);
    let steps = taken(
      NO_STEPS,
      changeAll(mask, () => 255),
    );
    steps = undone(steps, mask);
    expect(steps.future).toHaveLength(1);
    expect(
      taken(
        steps,
        changeAll(mask, () => 9),
      ).future,
    ).toHaveLength(0);
    expect(undone(NO_STEPS, mask)).toBe(NO_STEPS);
    expect(redone(NO_STEPS, mask)).toBe(NO_STEPS);
  });
});
