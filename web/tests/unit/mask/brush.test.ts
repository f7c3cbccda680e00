import { describe, expect, it } from "vitest";

import { distanceToLine, nextSize, pressedRadius, STEPS, strength, strengths } from "@/panels/mask/brush";

describe("a brush", () => {
  it("is full in its middle and nothing beyond its edge, at every softness and size", () => {
    for (const hardness of [0, 0.3, 0.8, 1]) {
      for (const radius of [0.5, 1, 7, 120]) {
        expect(strength(0, { radius, hardness })).toBe(1);
        expect(strength(radius + 1, { radius, hardness })).toBe(0);
        let last = 1;
        for (let d = 0; d < radius + 2; d += 0.25) {
          const now = strength(d, { radius, hardness });
          expect(now).toBeLessThanOrEqual(last);
          last = now;
        }
      }
    }
  });

  it("is half as strong half way from its hard part to its edge", () => {
    expect(strength(15, { radius: 20, hardness: 0.5 })).toBeCloseTo(0.5);
    expect(strength(10, { radius: 20, hardness: 0 })).toBeCloseTo(0.5);
    expect(strength(20, { radius: 20, hardness: 1 })).toBeCloseTo(0.5); // the edge itself, one pixel wide
  });

  it("covers about the area of its circle when it is hard", () => {
    let area = 0;
    for (let y = -30.5; y < 31; y += 1) {
      for (let x = -30.5; x < 31; x += 1) area += strength(Math.hypot(x, y), { radius: 25, hardness: 1 });
    }
    expect(area / (Math.PI * 25 * 25)).toBeCloseTo(1, 2);
  });

  it("is looked up in a table that agrees with it", () => {
    const brush = { radius: 9.5, hardness: 0.4 };
    strengths(brush).forEach((value, i) => expect(value).toBe(Math.round(255 * strength(i / STEPS, brush))));
  });

  it("knows how far a point is from its way", () => {
    expect(distanceToLine(5, 3, { x: 0, y: 0 }, { x: 10, y: 0 })).toBe(3);
    expect(distanceToLine(13, 4, { x: 0, y: 0 }, { x: 10, y: 0 })).toBe(5);
    expect(distanceToLine(3, 4, { x: 0, y: 0 }, { x: 0, y: 0 })).toBe(5);
  });

  it("grows and shrinks by its keys, within its limits", () => {
    expect(nextSize(1, -1)).toBe(1);
    expect(nextSize(1, 1)).toBe(2);
    expect(nextSize(100, 1)).toBe(115);
    expect(nextSize(1000, 1)).toBe(1000);
    let size = 1000;
    for (let i = 0; i < 200; i += 1) size = nextSize(size, -1);
    expect(size).toBe(1);
  });

  it("is thinner below a light pen, and not below a finger", () => {
    expect(pressedRadius(10, "pen", 0)).toBe(2);
    expect(pressedRadius(10, "pen", 1)).toBe(10);
    expect(pressedRadius(10, "touch", 0)).toBe(10);
  });
});
