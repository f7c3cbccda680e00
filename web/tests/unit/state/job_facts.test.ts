import { expect, test } from "vitest";

import { readFacts } from "@/state/job_facts";

const prompt = {
  2: { class_type: "CLIPTextEncode", inputs: { text: "blurry", clip: ["1", 1] } },
  3: { class_type: "KSampler", inputs: { seed: 18446744073709551557n, positive: ["7", 0], negative: ["2", 0] } },
  7: { class_type: "CLIPTextEncode", inputs: { text: " a red fox ", clip: ["1", 1] } },
};

test("a job is told by the text that it was asked with, and by its whole seed", () => {
  expect(readFacts({ workflow: { prompt, extra_data: {} } })).toEqual({
    title: null,
    text: "a red fox",
    seed: "18446744073709551557",
  });
});

test("the title of its workflow is read where it has one", () => {
  const workflow = { nodes: [], extra: { title: "Portrait" } };
  expect(readFacts({ workflow: { prompt: {}, extra_data: { extra_pnginfo: { workflow } } } })).toEqual({
    title: "Portrait",
    text: null,
    seed: null,
  });
});

test("what is no text or seed is none", () => {
  const odd = { 1: { inputs: { text: ["2", 0], seed: ["3", 0], positive: [] } }, 2: null, 3: "x", 4: { inputs: [] } };
  expect(readFacts({ workflow: { prompt: odd, extra_data: {} } })).toEqual({ title: null, text: null, seed: null });
});
