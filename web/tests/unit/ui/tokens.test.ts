import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

const css = readFileSync(new URL("../../../src/ui/tokens.css", import.meta.url), "utf8");

function tokensOf(selector: string): Map<string, string> {
  const start = css.indexOf(`${selector} {`);
  expect(start).toBeGreaterThanOrEqual(0);
  const body = css.slice(start, css.indexOf("\n}", start));
  return new Map([...body.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/g)].map((m) => [m[1] ?? "", m[2] ?? ""]));
}

const dark = tokensOf(":root");
const themes = { dark, light: new Map([...dark, ...tokensOf(':root[data-theme="light"]')]) };

/** WCAG 2.2, relative luminance. */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const SURFACES = [
  "canvas",
  "surface",
  "surface-raised",
  "surface-floating",
  "surface-sunken",
  "surface-hover",
  "control-face",
];
const WORDS = ["text", "text-soft", "text-faint", "accent-text"];
const STATES = ["good", "warn", "bad", "info"];

test("black on white has the contrast that WCAG says", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21, 5);
  expect(contrast("#767676", "#ffffff")).toBeCloseTo(4.54, 2);
});

describe.each(Object.entries(themes))("in the %s theme", (_, tokens) => {
  const ratio = (one: string, other: string) => contrast(tokens.get(one) ?? "", tokens.get(other) ?? "");

  test.each(WORDS.flatMap((word) => SURFACES.map((surface) => [word, surface] as const)))(
    "%s can be read on %s",
    (word, surface) => expect(ratio(word, surface)).toBeGreaterThanOrEqual(4.5),
  );

  test.each(STATES.flatMap((word) => ["surface", "surface-raised", "surface-floating"].map((s) => [word, s] as const)))(
    "%s can be read on %s",
    (word, surface) => expect(ratio(word, surface)).toBeGreaterThanOrEqual(4.5),
  );

  test.each([
    ["on-accent", "accent"],
    ["on-accent", "accent-hover"],
    ["on-bad", "bad"],
    ["on-bad", "bad-hover"],
    ["text", "surface-pressed"],
    ["text-soft", "surface-pressed"],
  ])("%s can be read on %s", (word, surface) => expect(ratio(word, surface)).toBeGreaterThanOrEqual(4.5));

  test("focus rings and wires stand out from what they lie on", () => {
    const wires = [...tokens.keys()].filter((name) => name.startsWith("type-"));
    expect(wires.length).toBeGreaterThan(10);
    for (const name of ["focus", "accent", ...wires]) {
      for (const surface of ["canvas", "surface", "surface-raised"]) {
        expect(ratio(name, surface), `${name} on ${surface}`).toBeGreaterThanOrEqual(3);
      }
    }
  });
});
