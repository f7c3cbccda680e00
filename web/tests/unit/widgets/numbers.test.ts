import { describe, expect, test } from "vitest";

import type { InputType } from "@/graph/node_type";
import type { JsonObject } from "@/graph/value";
import {
  barOf,
  dragged,
  numberIn,
  placeOn,
  PLAIN,
  randomWhole,
  shown,
  stepped,
  typed,
  valueAtPlace,
} from "@/widgets/numbers";

const input = (type: "INT" | "FLOAT", options: JsonObject): InputType => ({
  name: "x",
  type,
  required: true,
  choices: null,
  options,
});

const width = input("INT", { min: 16, max: 16384, step: 8 });
const seed = input("INT", { min: 0, max: 2n ** 64n - 1n });
const cfg = input("FLOAT", { min: 0, max: 100, step: 0.1, round: 0.01 });
const denoise = input("FLOAT", { min: 0, max: 1, step: 0.01 });
const FINE = { isFine: true, isRound: false };
const ROUND = { isFine: false, isRound: true };

describe("stepping", () => {
  test("goes by the input's step and stops at its ends", () => {
    expect(stepped(512, 1, width)).toBe(520);
    expect(stepped(20, -3, width)).toBe(16);
    expect(stepped(16384, 1, width)).toBe(16384);
  });

  test("leaves no dust of binary fractions", () => {
    let value = stepped(0, 1, cfg);
    for (let i = 0; i < 2; i += 1) value = stepped(value, 1, cfg);
    expect(value).toBe(0.3);
    expect(stepped(0.07, 1, denoise)).toBe(0.08);
  });

  test("is exact beyond what a double can hold", () => {
    expect(stepped(9007199254740991, 2, seed)).toBe(9007199254740993n);
    expect(stepped(9007199254740993n, -2, seed)).toBe(9007199254740991);
    expect(stepped(2n ** 64n - 1n, 1, seed)).toBe(2n ** 64n - 1n);
  });

  test("with Shift is ten times finer, with Ctrl goes to round numbers", () => {
    expect(stepped(0.5, 1, denoise, FINE)).toBe(0.501);
    expect(stepped(0.53, 1, denoise, ROUND)).toBe(0.5);
    expect(stepped(517, 0, width, ROUND)).toBe(480);
    expect(stepped(521, 0, width, ROUND)).toBe(560);
  });

  test("keeps the rounding that the author asked for", () => {
    expect(stepped(7.004, 0, cfg)).toBe(7);
    expect(stepped(7, 1, cfg, FINE)).toBe(7.01);
  });
});

describe("dragging", () => {
  test("goes along the bar where there is one", () => {
    expect(dragged(0, 100, 200, denoise, PLAIN)).toBe(0.5);
    expect(dragged(0, 100, 200, denoise, FINE)).toBe(0.05);
    expect(dragged(0.5, 1000, 200, denoise, PLAIN)).toBe(1);
  });

  test("goes by steps where there is none", () => {
    expect(dragged(512, 40, 200, width, PLAIN)).toBe(592);
    expect(dragged(512, 40, 200, width, FINE)).toBe(520);
    expect(dragged(512, -3, 200, width, PLAIN)).toBe(512);
  });
});

const refusal = (text: string, of: InputType) => {
  const outcome = typed(text, of);
  return outcome.ok ? outcome.value : outcome.reason.code;
};

describe("typing", () => {
  test("takes numbers and what can be worked out", () => {
    expect(refusal("512*2", width)).toBe(1024);
    expect(refusal("18446744073709551615", seed)).toBe(18446744073709551615n);
    expect(refusal("2**53", seed)).toBe(9007199254740992n);
    expect(refusal("1/3", cfg)).toBe(0.33);
    expect(refusal("513", width)).toBe(513);
    expect(refusal("1.5*2", width)).toBe("reason.too_small");
  });

  test("is refused out of range, with the limit in the reason", () => {
    const outcome = typed("20000", width);
    expect(outcome).toEqual({
      ok: false,
      reason: { code: "reason.too_big", words: { input: "x", value: "20000", max: "16384" } },
    });
    expect(refusal("18446744073709551616", seed)).toBe("reason.too_big");
    expect(refusal("-1", seed)).toBe("reason.too_small");
  });

  test("is refused when it is no number, or not a whole one where one is wanted", () => {
    expect(refusal("many", width)).toBe("reason.not_number");
    expect(refusal("", width)).toBe("reason.not_number");
    expect(refusal("33/2", width)).toBe("reason.not_whole");
  });
});

describe("showing", () => {
  test("has the decimals of the steps, and all the value's own", () => {
    expect(shown(1, denoise)).toBe("1.00");
    expect(shown(0.125, denoise)).toBe("0.125");
    expect(shown(8, cfg)).toBe("8.0");
    expect(shown(1e-7, cfg)).toBe("1e-7");
    expect(shown(20, width)).toBe("20");
    expect(shown(18446744073709551615n, seed)).toBe("18446744073709551615");
  });

  test("shows what is no number as it is, and works with 0 instead", () => {
    expect(shown("a lot", width)).toBe("a lot");
    expect(numberIn("a lot", width)).toBe(0);
    expect(numberIn("64", width)).toBe(64);
    expect(numberIn(7.9, width)).toBe(7);
    expect(numberIn(null, cfg)).toBe(0);
  });
});

describe("the bar", () => {
  test("is there only where a place in the range says something", () => {
    expect(barOf(denoise)).toEqual({ min: 0, max: 1 });
    expect(barOf(cfg)).toEqual({ min: 0, max: 100 });
    expect(barOf(width)).toBeNull();
    expect(barOf(seed)).toBeNull();
    expect(barOf(input("FLOAT", { min: 0 }))).toBeNull();
    expect(barOf(input("INT", { min: 16, max: 16384, display: "slider" }))).toEqual({ min: 16, max: 16384 });
  });

  test("leads from a place to a value and back", () => {
    expect(placeOn({ min: 0, max: 1 }, 0.25)).toBe(0.25);
    expect(placeOn({ min: 0, max: 1 }, 7)).toBe(1);
    expect(valueAtPlace({ min: 0, max: 1 }, 0.254, denoise)).toBe(0.25);
    expect(valueAtPlace({ min: 16, max: 16384 }, 1, width)).toBe(16384);
  });
});

const filled = (one: bigint, other: bigint) => (words: BigUint64Array<ArrayBuffer>) => words.set([one, other]);

describe("a random number", () => {
  test("reaches both ends of the range, exactly", () => {
    expect(randomWhole(seed, filled(0n, 0n))).toBe(0);
    expect(randomWhole(seed, filled(0n, 2n ** 64n - 1n))).toBe(2n ** 64n - 1n);
    const dice = input("INT", { min: 1, max: 6 });
    expect([0n, 1n, 2n, 3n, 4n, 5n].map((word) => randomWhole(dice, filled(0n, word)))).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("stays in 64 bits when the limit came as a double", () => {
    expect(randomWhole(input("INT", { min: 0, max: 2 ** 64 }), filled(0n, 2n ** 64n - 1n))).toBe(2n ** 64n - 1n);
  });
});
