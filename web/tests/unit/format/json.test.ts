import * as fc from "fast-check";
import { expect, test } from "vitest";

import { MAX_NESTING, parse, parseBytes, stringify } from "@/format/json";
import type { Value } from "@/graph/value";

function read(text: string): Value {
  const found = parse(text);
  if (!found.ok) throw new Error(found.reason.code);
  return found.value;
}

function refusal(text: string): string {
  const found = parse(text);
  return found.ok ? "none" : found.reason.code;
}

test("whole numbers a double cannot hold stay exact, others are numbers", () => {
  const text =
    '{"seed": 18446744073709551615, "low": -9223372036854775808, "a": 9007199254740991, "b": 9007199254740993}';
  expect(read(text)).toEqual({
    seed: 18446744073709551615n,
    low: -9223372036854775808n,
    a: 9007199254740991,
    b: 9007199254740993n,
  });
  expect(stringify(read(text))).toBe(text.replaceAll(": ", ":").replaceAll(", ", ","));
});

test("fractions with many digits are numbers, and long digits inside texts stay texts", () => {
  const text =
    '[0.30000000000000004, 1e22, 12345678901234567890.5, "18446744073709551615", "\\"18446744073709551616, "]';
  expect(read(text)).toEqual([
    0.30000000000000004,
    1e22,
    12345678901234567000,
    "18446744073709551615",
    '"18446744073709551616, ',
  ]);
});

test("a text that looks like our own mark is left alone", () => {
  expect(read('["whole number 7", 18446744073709551615]')).toEqual(["whole number 7", 18446744073709551615n]);
});

test("bare NaN and Infinity become null, but only outside of texts", () => {
  expect(read('{"is_changed": NaN, "a": [-Infinity, Infinity], "b": "NaN, Infinity"}')).toEqual({
    is_changed: null,
    a: [null, null],
    b: "NaN, Infinity",
  });
});

test("a key that objects have anyway is a key like others", () => {
  const value = read('{"__proto__": {"x": 18446744073709551615}, "constructor": 1}');
  expect(Object.keys(value as object)).toEqual(["__proto__", "constructor"]);
  expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
});

test("what is no JSON says where it ends, what is empty or too deep says so", () => {
  const found = parse('{\n "nodes": [1,,]}');
  expect(found).toEqual({ ok: false, reason: { code: "reason.file_not_json", words: { line: 2, column: 14 } } });
  expect(refusal("")).toBe("reason.file_empty");
  expect(refusal(" \n ")).toBe("reason.file_empty");
  expect(refusal(`${"[".repeat(MAX_NESTING + 2)}${"]".repeat(MAX_NESTING + 2)}`)).toBe("reason.file_nested_too_deeply");
  expect(refusal("[".repeat(1_000_000))).toBe("reason.file_not_json");
  expect(refusal(`${"[".repeat(1_000_000)}18446744073709551615${"]".repeat(1_000_000)}`)).toBe(
    "reason.file_nested_too_deeply",
  );
  expect(refusal(" ".repeat(64_000_001))).toBe("reason.file_too_many_bytes");
});

function long(digits: number): string {
  return `{"nodes": [], "seed": -${"7".repeat(digits)}}`;
}

test("a whole number that no node can use is refused in words, and not replaced", () => {
  expect(parse(long(4000))).toEqual({
    ok: false,
    reason: { code: "reason.file_number_too_long", words: { limit: 1233 } },
  });
  expect(read(long(1000))).toEqual({ nodes: [], seed: -BigInt("7".repeat(1000)) });
  expect(read(`["${"7".repeat(4000)}"]`)).toEqual(["7".repeat(4000)]);
});

test("bytes that are no UTF-8 are refused, a byte order mark is none of the text", () => {
  const bad = parseBytes(new Uint8Array([0x22, 0xff, 0xfe, 0x22]));
  expect(bad.ok ? null : bad.reason.code).toBe("reason.file_not_text");
  expect(parseBytes(new Uint8Array([0xef, 0xbb, 0xbf, 0x37]))).toEqual({ ok: true, value: 7 });
});

test("any JSON comes back as it was, bigints and strange texts too", () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: "small" },
      fc.constant(null),
      fc.boolean(),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((each) => each + 0),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n }),
      fc.string({ unit: "binary" }),
      fc.stringMatching(/^["\\0-9]*$/),
      fc.array(tie("any")),
      fc.dictionary(fc.string(), tie("any"), { noNullPrototype: true }),
    ),
  })).any as fc.Arbitrary<Value>;
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 2), (each, indent) => {
      const text = stringify(each, indent);
      expect(stringify(read(text), indent)).toBe(text);
    }),
    { numRuns: 500 },
  );
});
