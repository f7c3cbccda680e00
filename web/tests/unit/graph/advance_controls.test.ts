import { expect, test } from "vitest";

import { type Control, ROOT } from "@/graph/document";
import { advanced, afterRun, stuckInputs } from "@/graph/edits/advance_controls";
import { pack, promote } from "@/graph/edits/subgraphs";
import { setControl, setValue } from "@/graph/edits/values";
import type { InputType } from "@/graph/node_type";

import { node, value, wire, withNodes } from "./build";
import { TYPES } from "./node_types";

const MAX = 18446744073709551615n;
const SEED: InputType = { name: "seed", type: "INT", required: true, choices: null, options: { min: 0, max: MAX } };
const HALF = (): number => 0.5;

test("an increment goes on exactly beyond what a double can count", () => {
  expect(advanced(SEED, 2 ** 53 - 1, "increment", HALF)).toBe(2n ** 53n);
  expect(advanced(SEED, 2n ** 53n, "increment", HALF)).toBe(2n ** 53n + 1n);
  expect(advanced(SEED, 2n ** 53n, "decrement", HALF)).toBe(2 ** 53 - 1);
  expect(advanced(SEED, 7, "increment", HALF)).toBe(8);
});

test("at the limit a value stays, and only increment-wrap begins anew", () => {
  expect(advanced(SEED, MAX, "increment", HALF)).toBe(MAX);
  expect(advanced(SEED, MAX, "increment-wrap", HALF)).toBe(0);
  expect(advanced(SEED, 0, "decrement", HALF)).toBe(0);
});

test("chance reaches both ends, and draws no more than 53 bits", () => {
  const small = { ...SEED, options: { min: 3, max: 5 } };
  expect(advanced(small, 0, "randomize", () => 0)).toBe(3);
  expect(advanced(small, 0, "randomize", () => 0.999999)).toBe(5);
  expect(advanced(SEED, 0, "randomize", () => 0)).toBe(0);
  expect(advanced(SEED, 0, "randomize", () => 1 - 2 ** -53)).toBe(2 ** 53 - 1);
  expect(advanced({ ...SEED, options: { min: 0, max: 96, step: 8 } }, 0, "randomize", HALF)).toBe(48);
});

test("chance is uniform", () => {
  const dice = { ...SEED, options: { min: 1, max: 6 } };
  const counts = new Map<unknown, number>();
  for (let i = 0; i < 600; i += 1) {
    const drawn = advanced(dice, 1, "randomize", () => (i + 0.5) / 600);
    counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
  }
  expect([...counts]).toEqual([1, 2, 3, 4, 5, 6].map((side) => [side, 100]));
});

test("choices are gone through one by one", () => {
  const combo: InputType = { name: "how", type: "COMBO", required: true, choices: ["a", "b", "c"], options: {} };
  expect(advanced(combo, "a", "increment", HALF)).toBe("b");
  expect(advanced(combo, "c", "increment", HALF)).toBe("c");
  expect(advanced(combo, "c", "increment-wrap", HALF)).toBe("a");
  expect(advanced(combo, "a", "decrement", HALF)).toBe("a");
  expect(advanced(combo, "a", "randomize", HALF)).toBe("b");
});

test("fractions stay on the grid of their step", () => {
  const float: InputType = { name: "x", type: "FLOAT", required: true, choices: null, options: { step: 0.1, max: 1 } };
  expect(advanced(float, 0.2, "increment", HALF)).toBe(0.3);
  expect(advanced(float, 1, "increment", HALF)).toBe(1);
});

test("after a run new seeds are drawn, but not for what is fixed or wired", () => {
  let document = withNodes("KSampler", "KSampler", "PrimitiveInt", "KSampler");
  document = setControl(document, ROOT, "2", "seed", "fixed");
  document = setControl(document, ROOT, "3", "value", "increment");
  document = wire(document, "3", 0, "4", "seed");
  const after = afterRun(document, TYPES, HALF);
  expect(node(after, "1").values["seed"]).toBe(2 ** 52);
  expect(node(after, "2")).toBe(node(document, "2"));
  expect(node(after, "3").values["value"]).toBe(1);
  expect(node(after, "4").values["seed"]).toBe(0);
});

test("a document without anything to change stays the very same", () => {
  const document = setControl(withNodes("KSampler"), ROOT, "1", "seed", "fixed");
  expect(afterRun(document, TYPES)).toBe(document);
});

test("a primitive counts for those it feeds", () => {
  let document = wire(withNodes("PrimitiveNode", "KSampler"), "1", 0, "2", "seed");
  document = setControl(document, ROOT, "1", "value", "increment");
  expect(node(afterRun(document, TYPES, HALF), "1").values["value"]).toBe(1);
});

test("an instance advances the seed that it holds, and the inner one stays", () => {
  const packed = value(pack(withNodes("KSampler"), ROOT, { nodes: new Set(["1"]) }, "Sample"));
  let document = value(promote(packed.document, ROOT, TYPES, packed.id, "1", "seed"));
  document = setValue(document, ROOT, TYPES, packed.id, "seed", 41);
  document = setControl(document, ROOT, packed.id, "seed", "increment");
  const after = afterRun(document, TYPES, HALF);
  expect(node(after, packed.id).values["seed"]).toBe(42);
  expect(node(after, "1", packed.definition).values["seed"]).toBe(0);
});

function stuckAt(seed: number | bigint, control: Control): readonly string[] {
  const given = setValue(withNodes("KSampler"), ROOT, TYPES, "1", "seed", seed);
  return stuckInputs(setControl(given, ROOT, "1", "seed", control), TYPES);
}

test("a seed that can go no further is said, one that can is not", () => {
  expect(stuckAt(MAX, "increment")).toEqual(["seed"]);
  expect(stuckAt(0, "decrement")).toEqual(["seed"]);
  expect(stuckAt(MAX - 1n, "increment")).toEqual([]);
  expect(stuckAt(MAX, "decrement")).toEqual([]);
  expect(stuckAt(MAX, "increment-wrap")).toEqual([]);
  expect(stuckAt(MAX, "fixed")).toEqual([]);
});
