/** Every text is used, and every language fills in the same words. */

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { afterEach, expect, test } from "vitest";

import { en } from "@/texts/en";
import { LANGUAGES, plural, setLanguage, t } from "@/texts/index";
import { zh } from "@/texts/zh";

const SOURCES = resolve(import.meta.dirname, "../../../src");

function sources(): string {
  return readdirSync(SOURCES, { recursive: true, encoding: "utf-8" })
    .filter((each) => /\.tsx?$/.test(each) && !/^texts[\\/](en|zh)\.ts$/.test(each))
    .map((each) => readFileSync(join(SOURCES, each), "utf-8"))
    .join("\n");
}

afterEach(() => void setLanguage("en"));

test("every text is shown somewhere", () => {
  const code = sources();
  // Keys that are put together: `command.${id}`.
  const beginnings = [...code.matchAll(/[`"]([a-z_]+\.(?:[\w.]*[._])?)\$\{/g)].map((each) => each[1] ?? "");
  const unused = Object.keys(en).filter((key) => {
    const whole = key.replace(/\.(one|other)$/, "");
    return !code.includes(`"${whole}"`) && !beginnings.some((each) => each !== "" && key.startsWith(each));
  });
  expect(unused).toEqual([]);
});

function words(text: string): (string | undefined)[] {
  return [...text.matchAll(/\{(\w+)\}/g)].map((each) => each[1]).toSorted();
}

test("every language fills in the same words", () => {
  for (const key of Object.keys(en) as (keyof typeof en)[]) {
    // Chinese says "one" as it says "many", with the number; English may say "one" without.
    if (!key.endsWith(".one")) expect(words(zh[key]), key).toEqual(words(en[key]));
  }
});

test("a language is chosen by name, else by what the browser prefers, else English", () => {
  expect(setLanguage("zh")).toBe("zh");
  expect(setLanguage("", ["fr-FR", "zh-CN"])).toBe("zh");
  expect(setLanguage("klingon", ["fr"])).toBe("en");
  expect(Object.keys(LANGUAGES)).toEqual(["en", "zh"]);
});

test("words are filled in, and numbers choose the form", () => {
  expect(t("app.name")).toBe("Latentwire");
  expect([plural("run.jobs", 1), plural("run.jobs", 2)]).toEqual(["1 job", "2 jobs"]);
});
