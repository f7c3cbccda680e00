import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  fitted,
  inPicture,
  panned,
  pinched,
  resized,
  toggled,
  wheelFactor,
  zoomedAround,
} from "@/panels/lightbox/zoom";

const picture = { width: 400, height: 200 };
const frame = { width: 800, height: 600 };

describe("zooming", () => {
  it("fits a picture into its frame, in the middle", () => {
    expect(fitted(picture, frame)).toEqual({ x: 0, y: 100, scale: 2 });
    expect(fitted({ width: 100, height: 6000 }, frame)).toEqual({ x: 395, y: 0, scale: 0.1 });
  });

  it("keeps what is below the pointer below it, wherever the picture fills the frame", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 300, max: 500, noNaN: true }),
        fc.double({ min: 200, max: 400, noNaN: true }),
        fc.double({ min: 3, max: 20, noNaN: true }),
        (x, y, factor) => {
          const before = zoomedAround(fitted(picture, frame), { x: 400, y: 300 }, 8, picture, frame);
          const after = zoomedAround(before, { x, y }, factor / 3, picture, frame);
          const [one, other] = [inPicture(before, { x, y }), inPicture(after, { x, y })];
          expect(other.x).toBeCloseTo(one.x, 6);
          expect(other.y).toBeCloseTo(one.y, 6);
        },
      ),
    );
  });

  it("goes neither below the whole picture nor beyond 6400 %", () => {
    const small = { width: 64, height: 64 };
    let view = fitted(small, frame);
    for (let i = 0; i < 50; i += 1) view = zoomedAround(view, { x: 1, y: 1 }, 0.5, small, frame);
    expect(view.scale).toBe(1); // fitting would enlarge it, so its own size is the smallest
    for (let i = 0; i < 50; i += 1) view = zoomedAround(view, { x: 1, y: 1 }, 2, small, frame);
    expect(view.scale).toBe(64);
  });

  it("never shows a gap beside a picture that is larger than the frame", () => {
    const large = { x: -100, y: -100, scale: 10 };
    expect(panned(large, { x: 5000, y: 5000 }, picture, frame)).toEqual({ x: 0, y: 0, scale: 10 });
    expect(panned(large, { x: -9999, y: -9999 }, picture, frame)).toEqual({ x: -3200, y: -1400, scale: 10 });
  });

  it("pinches by the fingers' distance and follows their middle", () => {
    const from = { x: -1000, y: -700, scale: 8 };
    const two = [
      { x: 300, y: 300 },
      { x: 500, y: 300 },
    ] as const;
    const apart = [
      { x: 210, y: 320 },
      { x: 610, y: 320 },
    ] as const;
    const view = pinched(from, [...two], [...apart], picture, frame);
    expect(view.scale).toBe(16);
    const [point, now] = [inPicture(from, { x: 400, y: 300 }), inPicture(view, { x: 410, y: 320 })];
    expect([now.x, now.y]).toEqual([point.x, point.y]);
  });

  it("toggles between all and 100 %, or 200 % when all is 100 %", () => {
    const big = { width: 4000, height: 3000 };
    const whole = fitted(big, frame);
    const near = toggled(whole, { x: 400, y: 300 }, big, frame);
    expect(near.scale).toBe(1);
    expect(toggled(near, { x: 0, y: 0 }, big, frame)).toEqual(whole);
    expect(toggled(fitted(frame, frame), { x: 0, y: 0 }, frame, frame).scale).toBe(2);
  });

  it("stays fitted, or keeps its middle, when the window changes", () => {
    const wide = { width: 1600, height: 600 };
    expect(resized(fitted(picture, frame), picture, frame, wide)).toEqual(fitted(picture, wide));
    const view = { x: -1000, y: -500, scale: 10 };
    const middle = inPicture(view, { x: 400, y: 300 });
    expect(inPicture(resized(view, picture, frame, wide), { x: 800, y: 300 })).toEqual(middle);
  });

  it("zooms alike by pixels and by lines, in when the wheel goes up, and back by the opposite", () => {
    expect(wheelFactor(-48, 0)).toBeCloseTo(wheelFactor(-3, 1));
    expect(wheelFactor(-48, 0)).toBeGreaterThan(1);
    expect(wheelFactor(-48, 0) * wheelFactor(48, 0)).toBeCloseTo(1);
  });
});
