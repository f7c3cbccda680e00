import { expect, test } from "vitest";

import { newNode } from "@/graph/create";
import { MARKDOWN_NOTE } from "@/graph/document";
import type { InputType } from "@/graph/node_type";
import type { JsonObject } from "@/graph/value";
import { keepAlpha, readColor, withoutAlpha } from "@/widgets/color_value";
import { acceptOf, kindOfWidget } from "@/widgets/kinds";
import { isAccepted } from "@/widgets/uploads";

const input = (type: string, options: JsonObject = {}): InputType => ({
  name: "x",
  type,
  required: true,
  choices: type === "COMBO" ? ["a"] : null,
  options,
});
const node = newNode(new Map(), "Any", "1", { x: 0, y: 0 });
const kind = (type: string, options: JsonObject = {}) => kindOfWidget(node, input(type, options));

test("each kind of input has its widget", () => {
  expect(kind("INT")).toBe("number");
  expect(kind("FLOAT", { display: "slider", min: 0, max: 1 })).toBe("slider");
  expect(kind("STRING")).toBe("line");
  expect(kind("STRING", { multiline: true })).toBe("area");
  expect(kind("BOOLEAN")).toBe("toggle");
  expect(kind("COLOR")).toBe("color");
  expect(kind("COMBO")).toBe("choice");
  expect(kind("COMBO", { multi_select: { placeholder: "…" } })).toBe("choices");
  expect(kind("COMBO", { image_upload: true })).toBe("file");
  expect(kind("COMFY_DYNAMICCOMBO_V3")).toBe("choice");
  expect(kind("CURVE")).toBe("raw");
});

test("a slider without ends is a number", () => {
  expect(kind("FLOAT", { display: "slider", min: 0 })).toBe("number");
});

test("only a Markdown note is drawn as Markdown", () => {
  const note = newNode(new Map(), MARKDOWN_NOTE, "1", { x: 0, y: 0 });
  expect(kindOfWidget(note, input("STRING", { multiline: true }))).toBe("markdown");
});

test("an upload takes the files it is for", () => {
  const picture = new File([], "cat.PNG", { type: "image/png" });
  const mesh = new File([], "cat.GLB");
  expect(acceptOf(input("COMBO", { image_upload: true }))).toBe("image/*");
  expect(acceptOf(input("COMBO"))).toBeNull();
  expect([isAccepted(picture, "image/*"), isAccepted(mesh, "image/*")]).toEqual([true, false]);
  expect([isAccepted(picture, ".glb,.obj"), isAccepted(mesh, ".glb,.obj")]).toEqual([false, true]);
  expect(isAccepted(mesh, "")).toBe(true);
});

test("colours are read as people write them, and keep their alpha", () => {
  expect(readColor("E98D4E")).toBe("#e98d4e");
  expect(readColor(" #fa0 ")).toBe("#ffaa00");
  expect(readColor("#fa08")).toBe("#ffaa0088");
  expect(readColor("#12345")).toBeNull();
  expect(readColor("red")).toBeNull();
  expect(keepAlpha("#000000", "#ffaa0088")).toBe("#00000088");
  expect(withoutAlpha("#ffaa0088")).toBe("#ffaa00");
});
