import { expect, test } from "vitest";

import { keycaps } from "@/ui/keycaps";

test("a shortcut is shown with the names on the keys of the person's keyboard", () => {
  expect(keycaps("Mod+Shift+KeyZ", false)).toEqual(["Ctrl", "Shift", "Z"]);
  expect(keycaps("Mod+Shift+KeyZ", true)).toEqual(["⌘", "⇧", "Z"]);
  expect(keycaps("Digit1", false)).toEqual(["1"]);
  expect(keycaps("Mod+Enter", false)).toEqual(["Ctrl", "↵"]);
});

test("keys that are characters stay what they are, the plus too", () => {
  expect(keycaps("?", false)).toEqual(["?"]);
  expect(keycaps("+", false)).toEqual(["+"]);
  expect(keycaps("Mod++", false)).toEqual(["Ctrl", "+"]);
});
