import { expect, test } from "vitest";

import type { InputType } from "@/graph/node_type";
import { checkValue } from "@/graph/rules";
import type { JsonObject, Value } from "@/graph/value";

function input(type: string, options: JsonObject = {}, choices: readonly Value[] | null = null): InputType {
  return { name: "x", type, required: true, choices, options };
}

function codeFor(type: InputType, value: Value): string | null {
  return checkValue(type, value)?.code ?? null;
}

const SEED = input("INT", { min: 0, max: 18446744073709551615n });

test.each([
  [0, null],
  [18446744073709551615n, null],
  [18446744073709551616n, "reason.too_big"],
  [2 ** 64, "reason.too_big"],
  [-1, "reason.too_small"],
  ["42", null],
  ["-42", "reason.too_small"],
  ["forty", "reason.not_whole"],
  [Number.NaN, "reason.not_whole"],
  [null, "reason.no_value"],
  [[1], "reason.not_whole"],
])("a seed of %s gives %s", (value, code) => {
  expect(codeFor(SEED, value as Value)).toBe(code);
});

test("limits are told as they are, to the last digit", () => {
  expect(checkValue(SEED, 18446744073709551616n)?.words).toEqual({
    input: "x",
    value: "18446744073709551616",
    max: "18446744073709551615",
  });
});

test("a whole number without limits must fit into 64 bits", () => {
  expect(codeFor(input("INT"), 2n ** 64n - 1n)).toBeNull();
  expect(codeFor(input("INT"), 2n ** 64n)).toBe("reason.too_long");
  expect(codeFor(input("INT"), -(2n ** 63n) - 1n)).toBe("reason.too_long");
});

test("numbers may have limits on one side only", () => {
  expect(codeFor(input("FLOAT", { max: 1 }), -1e300)).toBeNull();
  expect(codeFor(input("FLOAT", { max: 1 }), 1.0001)).toBe("reason.too_big");
  expect(codeFor(input("FLOAT", { min: 0.5 }), "0.4")).toBe("reason.too_small");
  expect(codeFor(input("FLOAT"), "")).toBe("reason.not_number");
});

test("a choice is one of those there are, but the server judges files and far lists", () => {
  expect(codeFor(input("COMBO", {}, ["a", 2]), 2)).toBeNull();
  expect(codeFor(input("COMBO", {}, ["a", 2]), "c")).toBe("reason.not_a_choice");
  expect(codeFor(input("COMBO", { image_upload: true }, ["a"]), "new.png")).toBeNull();
  expect(codeFor(input("COMBO", { remote: {} }, []), "far")).toBeNull();
});

test("a text holds characters, whole ones", () => {
  expect(codeFor(input("STRING"), "👍 – 好")).toBeNull();
  expect(codeFor(input("STRING"), "a\0b")).toBe("reason.broken_text");
  expect(codeFor(input("STRING"), "half \ud83d.")).toBe("reason.broken_text");
  expect(codeFor(input("STRING"), { a: 1 })).toBe("reason.not_text");
});

test("an optional input may have no value", () => {
  expect(checkValue({ ...SEED, required: false }, null)).toBeNull();
});
