import { describe, expect, test } from "vitest";

import { type ListRow, neighbour, rowsOf, textOf } from "@/widgets/choices";

const read = (rows: readonly ListRow[]) =>
  rows.map((row) => (row.kind === "folder" ? `[${row.label}]` : `${row.label}${row.isMissing ? " (missing)" : ""}`));

describe("without a search", () => {
  test("short lists stay as the server has them", () => {
    expect(read(rowsOf(["euler", "a/b", "ddim"], ["euler"], ""))).toEqual(["euler", "a/b", "ddim"]);
  });

  test("long lists stand in their folders, loose names first", () => {
    const choices = ["z", "b/2", "a/c/1", "b/1", "a\\w", "y", "x", "b/3"];
    expect(read(rowsOf(choices, ["z"], ""))).toEqual([
      "z",
      "y",
      "x",
      "[b/]",
      "2",
      "1",
      "3",
      "[a/c/]",
      "1",
      "[a\\]",
      "w",
    ]);
  });

  test("what is chosen but not offered stands first, marked", () => {
    expect(read(rowsOf(["euler", "ddim"], ["gone"], ""))).toEqual(["gone (missing)", "euler", "ddim"]);
    expect(read(rowsOf([1, 2], [1n], ""))).toEqual(["1", "2"]);
  });
});

describe("a search", () => {
  const models = ["sdxl/base.safetensors", "flux/dev.safetensors", "sdxl/dream.safetensors"];

  test("finds by some of the letters, whole paths are shown, and the letters are marked", () => {
    const [best] = rowsOf(models, [], "dream");
    expect(best).toMatchObject({ kind: "choice", value: "sdxl/dream.safetensors", label: "sdxl/dream.safetensors" });
    expect(best?.kind === "choice" && [...best.matches].toSorted((a, b) => a - b)).toEqual([5, 6, 7, 8, 9]);
  });

  test("finds nothing where nothing matches, and the missing value too", () => {
    expect(rowsOf(models, [], "qqq")).toEqual([]);
    expect(read(rowsOf(models, ["gone.ckpt"], "gone"))).toEqual(["gone.ckpt (missing)"]);
  });
});

test("stepping through choices stops at the ends; from a missing value it begins at the first", () => {
  expect(neighbour(["a", "b", "c"], "b", 1)).toBe("c");
  expect(neighbour(["a", "b", "c"], "c", 1)).toBe("c");
  expect(neighbour(["a", "b", "c"], "a", -1)).toBe("a");
  expect(neighbour(["a", "b", "c"], "gone", 1)).toBe("a");
  expect(neighbour([], "gone", 1)).toBeNull();
});

test("values of every kind can be read", () => {
  expect([true, 4, "x", null, 18446744073709551615n, ["a", "b"]].map((each) => textOf(each))).toEqual([
    "true",
    "4",
    "x",
    "null",
    "18446744073709551615",
    "a, b",
  ]);
});
