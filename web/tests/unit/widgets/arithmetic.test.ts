import { describe, expect, test } from "vitest";

import { evaluate } from "@/widgets/arithmetic";

describe("numbers", () => {
  test.each([
    ["512", 512n],
    [" 0.5 ", 0.5],
    [".5", 0.5],
    ["1e-4", 0.0001],
    ["2E3", 2000],
    ["18446744073709551615", 18446744073709551615n],
    ["−7", -7n],
  ])("%s is read as %s", (text, value) => expect(evaluate(text)).toBe(value));
});

describe("expressions", () => {
  test.each([
    ["512*2", 1024n],
    ["1+2*3", 7n],
    ["(1+2)*3", 9n],
    ["10-4-3", 3n],
    ["1024/8", 128n],
    ["7/2", 3.5],
    ["7 % 4", 3n],
    ["2**10", 1024n],
    ["2^3^2", 512n],
    ["-2**2", -4n],
    ["2**-1", 0.5],
    ["--3", 3n],
    ["0.5*(3+1)", 2],
    ["9007199254740993+2", 9007199254740995n],
    ["3×4", 12n],
  ])("%s is %s", (text, value) => expect(evaluate(text)).toBe(value));
});

test.each(["", " ", "abc", "1+", "(1", "1)", "1 2", "1..2", "alert(1)", "1/0", "0/0", "5%0", "9**9**9", "1,5"])(
  "%j has no value",
  (text) => expect(evaluate(text)).toBeNull(),
);

test("a very long expression is not even read", () => {
  expect(evaluate("1" + "+1".repeat(99))).toBe(100n);
  expect(evaluate("1" + "+1".repeat(5000))).toBeNull();
  expect(evaluate("(".repeat(150) + "1" + ")".repeat(150))).toBeNull();
});
