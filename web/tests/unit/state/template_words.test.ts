import { readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";

import { afterEach, describe, expect, it } from "vitest";

import { inLanguage } from "@/state/template_words";
import { setLanguage } from "@/texts/index";

const WORKFLOWS = resolve(import.meta.dirname, "../../../../workflows");

const SHIPPED = [WORKFLOWS, join(WORKFLOWS, "with_your_files")]
  .flatMap((folder) => readdirSync(folder).map((each) => join(folder, each)))
  .filter((each) => each.endsWith(".editor.json"))
  .map((each) => {
    const file = JSON.parse(readFileSync(each, "utf-8")) as {
      extra: { latentwire: { title: string; description: string; needs?: string[] } };
    };
    const { title, description, needs = [] } = file.extra.latentwire;
    return { name: basename(each, ".editor.json"), title, description, needs };
  });

afterEach(() => void setLanguage("en"));

describe("the words of templates", () => {
  it("are those of their files in English", () => {
    setLanguage("en");
    expect(SHIPPED.length).toBeGreaterThan(3);
    expect(SHIPPED.map(inLanguage)).toEqual(SHIPPED);
  });

  it("are Chinese in Chinese, for each that ships", () => {
    setLanguage("zh");
    const words = SHIPPED.map(inLanguage).flatMap(({ title, description }) => [title, description]);
    expect(words.filter((each) => !/\p{Script=Han}/u.test(each))).toEqual([]);
  });

  it("are those of its file when nobody translated it", () => {
    setLanguage("zh");
    const own = { name: "of_mine", title: "Mine", description: "What I like", needs: [] };
    expect(inLanguage(own)).toEqual(own);
  });
});
