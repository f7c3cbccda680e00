import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { placeBeside, placeOf } from "@/panels/queue/reorder";

const IDS = ["a", "b", "c", "d"];

/** What the server does with the answer: takes the job out, puts it before the named one or to the end. */
function moved(ids: readonly string[], id: string, before: string | null): string[] {
  const others = ids.filter((each) => each !== id);
  const at = before === null ? others.length : others.indexOf(before);
  return [...others.slice(0, at), id, ...others.slice(at)];
}

describe("reordering what waits", () => {
  it("names the job that the moved one comes before", () => {
    expect(placeOf(IDS, "d", "a", "before")).toEqual({ moves: true, before: "a" });
    expect(placeOf(IDS, "a", "c", "after")).toEqual({ moves: true, before: "d" });
    expect(placeOf(IDS, "a", "d", "after")).toEqual({ moves: true, before: null });
  });

  it("does nothing when the place is the same or a job is gone", () => {
    expect(placeOf(IDS, "b", "a", "after")).toEqual({ moves: false });
    expect(placeOf(IDS, "b", "c", "before")).toEqual({ moves: false });
    expect(placeOf(IDS, "b", "b", "after")).toEqual({ moves: false });
    expect(placeOf(IDS, "x", "b", "after")).toEqual({ moves: false });
    expect(placeOf(IDS, "b", "x", "after")).toEqual({ moves: false });
    expect(placeBeside(IDS, "a", -1)).toEqual({ moves: false });
    expect(placeBeside(IDS, "x", 1)).toEqual({ moves: false });
  });

  it("puts the job right beside its target, whatever the order", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 8 }),
        fc.nat(),
        fc.nat(),
        fc.constantFrom("before" as const, "after" as const),
        (ids, one, other, side) => {
          const [id, target] = [ids[one % ids.length] ?? "", ids[other % ids.length] ?? ""];
          fc.pre(id !== target);
          const place = placeOf(ids, id, target, side);
          const order = place.moves ? moved(ids, id, place.before) : ids;
          expect(order.indexOf(id) - order.indexOf(target)).toBe(side === "after" ? 1 : -1);
        },
      ),
    );
  });

  it("goes one place up or down", () => {
    expect(placeBeside(IDS, "c", -1)).toEqual({ moves: true, before: "b" });
    expect(placeBeside(IDS, "c", 1)).toEqual({ moves: true, before: null });
  });
});
