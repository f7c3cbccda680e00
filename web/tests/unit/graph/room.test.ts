/** Where a new node finds room. */

import { expect, test } from "vitest";

import { overlaps, type Rect } from "@/graph/geometry";
import { GAP, roomFor } from "@/graph/room";

const wanted: Rect = { x: 0, y: 0, width: 200, height: 100 };

test("a free place is taken as it is", () => {
  expect(roomFor(wanted, [{ x: 300, y: 0, width: 100, height: 100 }])).toEqual({ x: 0, y: 0 });
});

test("below or beside what is in the way, whichever is nearer", () => {
  const flat = { x: 0, y: 0, width: 400, height: 60 };
  const slim = { x: 0, y: 0, width: 60, height: 400 };
  expect(roomFor(wanted, [flat])).toEqual({ x: 0, y: 60 + GAP });
  expect(roomFor(wanted, [slim])).toEqual({ x: 60 + GAP, y: 0 });
});

test("among many there is always room, and nothing is touched", () => {
  const taken: Rect[] = [];
  for (let i = 0; i < 60; i++) {
    const size = { width: 120 + ((i * 37) % 200), height: 60 + ((i * 53) % 300) };
    const rect = { ...roomFor({ x: (i * 29) % 400, y: (i * 17) % 300, ...size }, taken), ...size };
    expect(taken.some((each) => overlaps(each, rect))).toBe(false);
    taken.push(rect);
  }
});
