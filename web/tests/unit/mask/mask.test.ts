import { describe, expect, it } from "vitest";

import {
  beginStroke,
  changeAll,
  emptyMask,
  endStroke,
  fillBox,
  type Mask,
  paint,
  rowAt,
  TILE,
  tileOfAlpha,
  valueAt,
} from "@/panels/mask/mask";

const hard = { radius: 10, hardness: 1 };

function line(mask: Mask, from: [number, number], to: [number, number], erases = false, brush = hard) {
  const stroke = beginStroke(erases);
  paint(mask, stroke, brush, { x: from[0], y: from[1] }, { x: to[0], y: to[1] });
  return endStroke(mask, stroke);
}

describe("painting a mask", () => {
  it("masks the way of the brush, over the borders of tiles, and nothing else", () => {
    const mask = emptyMask({ width: 600, height: 300 });
    const replaced = line(mask, [100, 256], [500, 256]);
    expect(valueAt(mask, 300, 256)).toBe(255);
    expect(valueAt(mask, 255, 250)).toBe(255);
    expect(valueAt(mask, 256, 262)).toBe(255);
    expect(valueAt(mask, 300, 270)).toBe(0);
    expect(valueAt(mask, 85, 256)).toBe(0);
    expect(new Set(replaced.keys())).toEqual(new Set([0, 1, 3, 4])); // of three columns; x from 89 to 511
  });

  it("does not become stronger where one stroke goes twice, but where two do", () => {
    const soft = { radius: 20, hardness: 0 };
    const mask = emptyMask({ width: 100, height: 100 });
    const stroke = beginStroke(false);
    paint(mask, stroke, soft, { x: 50, y: 50 }, { x: 50, y: 50 });
    const once = valueAt(mask, 60, 50);
    for (let i = 0; i < 9; i += 1) paint(mask, stroke, soft, { x: 50, y: 50 }, { x: 50, y: 50 });
    endStroke(mask, stroke);
    expect(valueAt(mask, 60, 50)).toBe(once);
    expect(once).toBeGreaterThan(60);
    expect(once).toBeLessThan(200);
    line(mask, [50, 50], [50, 50], false, soft);
    expect(valueAt(mask, 60, 50)).toBe(Math.round(255 - (255 - once) ** 2 / 255));
  });

  it("is the same in one long line as in many short ones", () => {
    const soft = { radius: 12, hardness: 0.3 };
    const [one, many] = [emptyMask({ width: 300, height: 40 }), emptyMask({ width: 300, height: 40 })];
    line(one, [20, 20], [280, 20], false, soft);
    const stroke = beginStroke(false);
    for (let x = 20; x < 280; x += 10) paint(many, stroke, soft, { x, y: 20 }, { x: x + 10, y: 20 });
    endStroke(many, stroke);
    for (let y = 0; y < 40; y += 1) {
      for (let x = 0; x < 300; x += 1)
        expect(Math.abs(valueAt(one, x, y) - valueAt(many, x, y))).toBeLessThanOrEqual(1);
    }
  });

  it("erases what was painted", () => {
    const mask = emptyMask({ width: 64, height: 64 });
    changeAll(mask, () => 255);
    line(mask, [32, 32], [32, 32], true);
    expect(valueAt(mask, 32, 32)).toBe(0);
    expect(valueAt(mask, 32, 50)).toBe(255);
  });

  it("takes no room for tiles of one value", () => {
    const mask = emptyMask({ width: 8192, height: 8192 });
    expect(mask.tiles).toHaveLength(1024);
    fillBox(mask, { x: 0, y: 0 }, { x: 512, y: 300 }, 255);
    expect(mask.tiles.filter((each) => typeof each !== "number")).toHaveLength(2);
    expect(valueAt(mask, 511, 299)).toBe(255);
    expect(valueAt(mask, 511, 300)).toBe(0);
    expect(valueAt(mask, 512, 0)).toBe(0);
    changeAll(mask, (value) => 255 - value);
    expect(valueAt(mask, 511, 299)).toBe(0);
    expect(valueAt(mask, 511, 300)).toBe(255);
  });

  it("paints outside the picture without complaint", () => {
    const mask = emptyMask({ width: 50, height: 50 });
    expect(line(mask, [-500, -500], [-400, 900]).size).toBe(0);
    line(mask, [-5, 25], [55, 25]);
    expect(valueAt(mask, 0, 25)).toBe(255);
    expect(valueAt(mask, 49, 25)).toBe(255);
  });

  it("never writes to tiles it handed out", () => {
    const mask = emptyMask({ width: 64, height: 64 });
    line(mask, [20, 20], [20, 20]);
    const [kept] = mask.tiles;
    const copy = typeof kept === "number" || kept === undefined ? kept : kept.slice();
    line(mask, [40, 40], [40, 40]);
    expect(kept).toEqual(copy);
    expect(mask.tiles[0]).not.toEqual(copy);
  });

  it("gives its rows, over tiles and at the edge", () => {
    const mask = emptyMask({ width: TILE + 3, height: 2 });
    fillBox(mask, { x: TILE - 1, y: 1 }, { x: TILE + 2, y: 2 }, 255);
    const row = new Uint8Array(TILE + 3);
    rowAt(mask, 1, row);
    expect([...row.subarray(TILE - 2)]).toEqual([0, 255, 255, 255, 0]);
    rowAt(mask, 0, row);
    expect(row.every((value) => value === 0)).toBe(true);
  });

  it("starts from a picture's alpha: what is see-through is masked", () => {
    const opaque = new Uint8ClampedArray(4 * 6).fill(255);
    expect(tileOfAlpha(opaque, 3, 2)).toBe(0);
    opaque[4 * 4 + 3] = 55;
    const tile = tileOfAlpha(opaque, 3, 2);
    expect(typeof tile === "number" ? null : tile[TILE + 1]).toBe(200);
    expect(tileOfAlpha(new Uint8ClampedArray(TILE * TILE * 4), TILE, TILE)).toBe(255);
  });
});
