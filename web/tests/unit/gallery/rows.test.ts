import { describe, expect, it } from "vitest";

import {
  chosenWith,
  columnsIn,
  heightOf,
  neighbour,
  rowOf,
  rowsBetween,
  rowsOf,
  scrollTo,
} from "@/panels/gallery/rows";

const MEASURES = { columns: 3, rowHeight: 100, dayHeight: 30 };
/** Four pictures of day 9, two of day 8. */
const rows = rowsOf([9, 9, 9, 9, 8, 8], MEASURES);

describe("the rows of the gallery", () => {
  it("begin each day with a heading and break into columns", () => {
    expect(rows).toEqual([
      { kind: "day", first: 0, count: 4, top: 0, height: 30 },
      { kind: "pictures", first: 0, end: 3, top: 30, height: 100 },
      { kind: "pictures", first: 3, end: 4, top: 130, height: 100 },
      { kind: "day", first: 4, count: 2, top: 230, height: 30 },
      { kind: "pictures", first: 4, end: 6, top: 260, height: 100 },
    ]);
    expect(heightOf(rows)).toBe(360);
    expect(heightOf([])).toBe(0);
  });

  it("hand out only what is in sight", () => {
    expect(rowsBetween(rows, 130, 230).map((each) => each.top)).toEqual([130]);
    expect(rowsBetween(rows, 129, 231).map((each) => each.top)).toEqual([30, 130, 230]);
    expect(rowsBetween(rows, 5000, 6000)).toEqual([]);
  });

  it("hand out few rows of 20,000 pictures, and find each picture in its row", () => {
    const many = rowsOf(
      Array.from({ length: 20_000 }, (_, i) => -Math.floor(i / 333)),
      { ...MEASURES, columns: 4 },
    );
    expect(rowsBetween(many, 100_000, 100_900).length).toBeLessThan(14);
    for (let i = 0; i < 20_000; i += 1) {
      const row = rowOf(many, i);
      expect(row !== null && row.first <= i && i < row.end).toBe(true);
    }
    expect(rowOf(many, 20_000)).toBeNull();
  });

  it("are walked by the arrow keys, over days and short rows", () => {
    expect(neighbour(rows, 0, "ArrowRight", 6)).toBe(1);
    expect(neighbour(rows, 0, "ArrowLeft", 6)).toBe(0);
    expect(neighbour(rows, 2, "ArrowDown", 6)).toBe(3);
    expect(neighbour(rows, 3, "ArrowDown", 6)).toBe(4);
    expect(neighbour(rows, 5, "ArrowUp", 6)).toBe(3);
    expect(neighbour(rows, 5, "ArrowDown", 6)).toBe(5);
    expect(neighbour(rows, 3, "Home", 6)).toBe(0);
    expect(neighbour(rows, 3, "End", 6)).toBe(5);
    expect(neighbour([], 0, "ArrowRight", 0)).toBe(0);
  });

  it("scroll only as far as needed", () => {
    const [, second] = rows;
    if (second === undefined) throw new Error("rows");
    expect(scrollTo(second, 0, 400)).toBe(0);
    expect(scrollTo(second, 0, 100)).toBe(30);
    expect(scrollTo(second, 80, 400)).toBe(30);
  });

  it("fill the width", () => {
    expect(columnsIn(320, 100, 8)).toEqual({ columns: 3, size: (320 - 16) / 3 });
    expect(columnsIn(90, 100, 8).columns).toBe(2);
  });
});

describe("choosing pictures to compare", () => {
  it("keeps the two newest choices and takes one out when it is chosen again", () => {
    expect(chosenWith(["a"], "b")).toEqual(["a", "b"]);
    expect(chosenWith(["a", "b"], "c")).toEqual(["b", "c"]);
    expect(chosenWith(["a", "b"], "a")).toEqual(["b"]);
  });
});
