import { describe, expect, it } from "vitest";

import { keyedPart, lineAt, partAt, placed, sharedSize, visibleSpan } from "@/panels/lightbox/compare";

describe("two pictures under one slider", () => {
  it("share the frame of the one with more pixels", () => {
    const [small, large] = [
      { width: 64, height: 64 },
      { width: 100, height: 50 },
    ];
    expect(sharedSize(small, large)).toBe(large);
    expect(placed(small, large)).toEqual({ x: 25, y: 0, width: 50, height: 50 });
    expect(placed(large, large)).toEqual({ x: 0, y: 0, width: 100, height: 50 });
  });

  it("have their line on what one sees of them, also zoomed in", () => {
    const frame = { width: 1000, height: 500 };
    const picture = { width: 100, height: 100 };
    expect(visibleSpan({ x: 250, y: 0, scale: 5 }, picture, frame)).toEqual([250, 750]);
    expect(visibleSpan({ x: -300, y: -300, scale: 20 }, picture, frame)).toEqual([0, 1000]);
    expect(lineAt(0.25, [250, 750])).toBe(375);
    expect(partAt(375, [250, 750])).toBe(0.25);
    expect(partAt(-5, [250, 750])).toBe(0);
    expect(partAt(5000, [250, 750])).toBe(1);
    expect(partAt(5, [10, 10])).toBe(0.5);
  });

  it("follow the keys of a slider and leave others alone", () => {
    expect(keyedPart(0.5, "ArrowRight")).toBe(0.51);
    expect(keyedPart(0.005, "ArrowLeft")).toBe(0);
    expect(keyedPart(0.2, "PageUp")).toBe(0.3);
    expect(keyedPart(0.2, "End")).toBe(1);
    expect(keyedPart(0.2, "a")).toBeNull();
  });
});
