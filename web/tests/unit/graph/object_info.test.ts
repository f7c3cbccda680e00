import { expect, test } from "vitest";

import { readObjectInfo } from "@/graph/object_info";

import { TYPES } from "./node_types";

const KSAMPLER = ["model", "seed", "steps", "cfg", "sampler_name", "scheduler", "positive", "negative", "latent_image"];

test("inputs come in the order of the node's author, required ones first", () => {
  expect(TYPES.get("KSampler")?.inputs.map((input) => input.name)).toEqual([...KSAMPLER, "denoise"]);
});

test("a limit of 64 bits is read exactly", () => {
  const seed = TYPES.get("KSampler")?.inputs.find((input) => input.name === "seed");
  expect(seed?.options["max"]).toBe(18446744073709551615n);
});

test("old lists of choices and new COMBOs are the same thing", () => {
  const types = readObjectInfo({
    Old: { input: { required: { how: [["a", "b"], { default: "b" }] } }, output: [["a", "b"]] },
    New: { input: { required: { how: ["COMBO", { options: ["a", "b"], default: "b" }] } }, output: ["COMBO"] },
  });
  expect(types.get("New")?.inputs).toEqual(types.get("Old")?.inputs);
  expect(types.get("Old")?.inputs[0]).toMatchObject({ type: "COMBO", choices: ["a", "b"], options: { default: "b" } });
  expect(types.get("Old")?.outputs[0]?.type).toBe("COMBO");
});

test("what is malformed is left out and takes nothing else along", () => {
  const types = readObjectInfo({
    Broken: 7,
    Half: { input: { required: { good: ["INT", {}], bad: 3, worse: [null] } }, output: "IMAGE" },
  });
  expect([...types.keys()]).toEqual(["Half"]);
  expect(types.get("Half")?.inputs.map((input) => input.name)).toEqual(["good"]);
  expect(types.get("Half")?.displayName).toBe("Half");
  expect(readObjectInfo("nothing").size).toBe(0);
});

test("outputs carry their names, lists and tooltips", () => {
  const types = readObjectInfo({
    Two: {
      output: ["IMAGE", "MASK"],
      output_name: ["picture", null],
      output_is_list: [true, false],
      output_tooltips: ["drawn"],
    },
  });
  expect(types.get("Two")?.outputs).toEqual([
    { name: "picture", type: "IMAGE", isList: true, tooltip: "drawn" },
    { name: "MASK", type: "MASK", isList: false, tooltip: "" },
  ]);
});
