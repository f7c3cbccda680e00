import { expect, test } from "vitest";

import { type MenuItem, partsOf } from "@/ui/menu_item";

const item = (id: string, isChecked?: boolean): MenuItem => ({ id, label: id, isChecked });

test("what can be checked stands in parts of its own", () => {
  const parts = partsOf([item("a"), item("b", true), item("c", false), item("d")]);
  expect(parts.map((part) => (part.kind === "separator" ? "-" : part.items.map((each) => each.id).join()))).toEqual([
    "a",
    "b,c",
    "d",
  ]);
  expect(parts.map((part) => part.kind)).toEqual(["actions", "checks", "actions"]);
});

test("separators stand only between items", () => {
  const parts = partsOf(["separator", item("a"), "separator", "separator", item("b"), "separator"]);
  expect(parts.map((part) => part.kind)).toEqual(["actions", "separator", "actions"]);
});
