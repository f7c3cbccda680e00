import * as fc from "fast-check";
import { expect, it } from "vitest";

import { parse, stringify } from "@/json/exact";

it("keeps whole numbers of 64 bits as they are, in both directions", () => {
  const text = '{"seed":18446744073709551615,"small":7,"negative":-9007199254740993,"half":0.5}';
  expect(parse(text)).toEqual({ seed: 18446744073709551615n, small: 7, negative: -9007199254740993n, half: 0.5 });
  expect(stringify(parse(text))).toBe(text);
});

it("reads long fractions and digits in texts as what they are", () => {
  expect(parse('[0.1234567890123456, "12345678901234567890", 1e300]')).toEqual([
    0.1234567890123456,
    "12345678901234567890",
    1e300,
  ]);
});

it("reads back whatever it writes", () => {
  const leaf = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n }),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: "small" }, leaf, fc.array(tie("value")), fc.dictionary(key, tie("value"))),
  }));
  fc.assert(
    fc.property(value, (each) => {
      expect(parse(stringify(each))).toEqual(each);
    }),
  );
});

const key = fc.string().filter((each) => each !== "__proto__");

it("throws a SyntaxError for what is no JSON, also where it has long whole numbers or NaN", () => {
  for (const text of ["{", "[18446744073709551615,]", "[NaN,,1]", `[${"1".repeat(5000)}]`])
    expect(() => parse(text)).toThrow(SyntaxError);
});
