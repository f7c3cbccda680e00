import { expect, test } from "vitest";

import { bend, wirePath } from "@/view/wire_path";

const ENDS = { x1: 10, y1: 20, x2: 210, y2: 120 };

test.each(["curved", "straight", "stepped"] as const)("a %s wire goes from its output to its input", (style) => {
  const numbers =
    wirePath(ENDS, style)
      .match(/-?\d+(\.\d+)?/g)
      ?.map(Number) ?? [];
  expect(numbers.slice(0, 2)).toEqual([10, 20]);
  expect(numbers.at(-1)).toBe(style === "stepped" ? 210 : 120);
});

test("a stepped wire to the left leaves and arrives to the right of its sockets", () => {
  const path = wirePath({ x1: 200, y1: 0, x2: 0, y2: 100 }, "stepped");
  expect(path).toBe("M200,0 H216 V50 H-16 V100 H0");
});

test("a curve leaves further the further it goes, but not without end", () => {
  expect(bend({ x1: 0, y1: 0, x2: 100, y2: 0 })).toBeLessThan(bend({ x1: 0, y1: 0, x2: 300, y2: 0 }));
  expect(bend({ x1: 0, y1: 0, x2: 1e6, y2: 0 })).toBe(240);
  expect(bend({ x1: 0, y1: 0, x2: -1e9, y2: 0 })).toBe(240);
});
