import { describe, expect, it } from "vitest";

import { checkName, freeName, nameOf, pathOf } from "@/state/keeping_names";

describe("names of workflows", () => {
  it("may be in any script, and in folders", () => {
    for (const name of ["portrait", "folder/肖像 2", "a.b"]) expect(checkName(name)).toBeNull();
  });

  it("lead nowhere else", () => {
    for (const name of [
      "../up",
      "a/../b",
      "a//b",
      "/a",
      ".hidden",
      "a\\b",
      "a:b",
      "a\u0000b",
      "",
      "   ",
      "x".repeat(200),
    ]) {
      expect(checkName(name), name).not.toBeNull();
    }
  });

  it("and paths are two ways to say the same", () => {
    expect(nameOf(pathOf(" folder/a "))).toBe("folder/a");
  });

  it("that are taken get a number", () => {
    expect(freeName("a", new Set())).toBe("a");
    expect(freeName("a", new Set(["a", "a (2)"]))).toBe("a (3)");
    expect(freeName("a (2)", new Set(["a (2)"]))).toBe("a (3)");
  });
});
