import { describe, expect, it } from "vitest";

import type { Hit } from "@/graph/search";
import { ALL_COMMANDS } from "@/panels/commands/all";
import { SECTIONS } from "@/panels/commands/sections";
import { fileName } from "@/panels/files/download";
import { looksLikeWorkflow } from "@/panels/files/pasted_text";
import { categoriesOf } from "@/panels/palette/categories";
import { nextPlace } from "@/panels/problems/jump";
import type { Problem } from "@/state/problems";
import { en } from "@/texts/en";

describe("commands", () => {
  it("have words in every place that shows them", () => {
    const known = new Set(Object.keys(en));
    const missing = ALL_COMMANDS.flatMap(({ id, section }) => [`command.${id}`, `commands.${section}`]);
    expect(missing.filter((key) => !known.has(key))).toEqual([]);
  });

  it("stand in a part of the shortcut sheet", () => {
    const sections = new Set<string>(SECTIONS);
    expect(ALL_COMMANDS.filter((each) => !sections.has(each.section))).toEqual([]);
  });

  it("do not share ids or keys", () => {
    const ids = ALL_COMMANDS.map((each) => each.id);
    const keys = ALL_COMMANDS.flatMap((each) => each.keys);
    expect(ids.length).toBe(new Set(ids).size);
    expect(keys.filter((each, i) => keys.indexOf(each) !== i)).toEqual([]);
  });

  it("keep off keys that browsers do not give away", () => {
    const reserved = ["Mod+KeyT", "Mod+KeyN", "Mod+KeyW", "Mod+Shift+KeyN", "Mod+Shift+KeyT", "Mod+Tab", "F11", "F12"];
    const keys = new Set(ALL_COMMANDS.flatMap((each) => each.keys));
    expect(reserved.filter((each) => keys.has(each))).toEqual([]);
  });
});

function hit(id: string, category: string): Hit {
  return { id, title: id, category, ranges: [], alias: null, isDeprecated: false, isExperimental: false };
}

describe("the catalogue of nodes", () => {
  it("is a tree of categories, each with its count", () => {
    const [image, sampling] = categoriesOf([hit("b", "sampling/custom"), hit("a", "sampling"), hit("c", "image")]);
    expect([image?.name, image?.count]).toEqual(["image", 1]);
    expect([sampling?.count, sampling?.hits.map((each) => each.id)]).toEqual([2, ["a"]]);
    expect(sampling?.inside[0]).toMatchObject({ name: "custom", path: "sampling/custom", count: 1 });
  });
});

describe("stepping through problems", () => {
  const problems = Array.from<Problem>({ length: 3 });

  it("goes around the ends", () => {
    expect([nextPlace(problems, -1, 1), nextPlace(problems, 2, 1), nextPlace(problems, 0, -1)]).toEqual([0, 0, 2]);
    expect([nextPlace(problems, -1, -1), nextPlace([], -1, 1)]).toEqual([2, -1]);
  });
});

describe("files", () => {
  it("are named as every system takes it", () => {
    expect(fileName('a/b:c*?"', "json")).toBe("a_b_c___.json");
    expect(fileName("..", "py")).toBe("workflow.py");
  });

  it("are told from other pasted text", () => {
    expect(looksLikeWorkflow(' {"nodes": []}')).toBe(true);
    expect(looksLikeWorkflow('{"3": {"class_type": "KSampler"}}')).toBe(true);
    expect(looksLikeWorkflow("a red apple {nodes}")).toBe(false);
    expect(looksLikeWorkflow('{"a": 1}')).toBe(false);
  });
});
