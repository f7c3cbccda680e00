/** API JSON becomes a document that means the same, and any document a script that builds the same prompt. */

import { describe, expect, test } from "vitest";

import { readApi } from "@/format/api_file";
import { read, write } from "@/format/editor_file";
import { open } from "@/format/open";
import { toPrompt } from "@/format/prompt";
import { toPython } from "@/format/python_script";
import { newNode } from "@/graph/create";
import { type Document, emptyDocument, type Node, TITLE_HEIGHT } from "@/graph/document";
import { isObject, type JsonObject } from "@/graph/value";

import { coreObjectInfo, realWorkflows, scriptPrompts, typesOf } from "./server";

const TYPES = typesOf(coreObjectInfo());
const REAL = [...realWorkflows()].map(([name, file]) => ({ name, ...documentAndPrompt(file) }));
const SCRIPTS = scriptPrompts(REAL.map(({ document, name }) => toPython(document, TYPES, name)));

function documentAndPrompt(file: JsonObject): { document: Document; prompt: JsonObject } {
  const found = read(file, TYPES);
  const made = found.ok ? toPrompt(found.value.document, TYPES) : found;
  if (!found.ok || !made.ok) throw new Error("a real workflow cannot be read");
  return { document: found.value.document, prompt: made.value.prompt };
}

/** Types and inputs by id. */
function inputsOf(prompt: JsonObject, withTitles = false): unknown {
  const entries = Object.entries(prompt).map(([id, entry]) => {
    if (!isObject(entry)) return [];
    const inputs = isObject(entry["inputs"]) ? Object.entries(entry["inputs"]) : [];
    return [id, [entry["class_type"], Object.fromEntries(inputs), withTitles ? entry["_meta"] : null]];
  });
  return Object.fromEntries(entries);
}

function opened(prompt: JsonObject): Document {
  const found = readApi(prompt, TYPES);
  if (!found.ok) throw new Error(found.reason.code);
  return found.value.document;
}

describe.each(REAL.map((each, i) => ({ ...each, i })))("$name", ({ prompt, i }) => {
  test("its prompt, opened as a workflow, is the same prompt", () => {
    if (Object.keys(prompt).some((id) => !/^\d+$/.test(id))) return;
    const again = toPrompt(opened(prompt), TYPES);
    expect(again.ok && inputsOf(again.value.prompt, true)).toEqual(inputsOf(prompt, true));
  });

  test("its prompt, opened, saved and loaded, is the same document", () => {
    const document = opened(prompt);
    const again = read(write(document, TYPES), TYPES);
    expect(again.ok && again.value).toEqual({ document, notes: again.ok ? again.value.notes : null });
  });

  test("laid out, no node lies over another, and wires go to the right", () => {
    const { nodes, links } = opened(prompt).root;
    const boxes = [...nodes.values()];
    for (const [n, one] of boxes.entries()) {
      for (const other of boxes.slice(n + 1)) expect(overlaps(one, other)).toBe(false);
    }
    for (const { origin, target } of links.values()) {
      const [from, to] = [nodes.get(origin), nodes.get(target)];
      expect((from?.x ?? 0) + (from?.width ?? 0)).toBeLessThan(to?.x ?? 0);
    }
  });

  test("its script builds the same prompt", () => {
    const answer = SCRIPTS[i];
    expect(answer?.error).toBeUndefined();
    expect(inputsOf(answer?.prompt ?? {})).toEqual(inputsOf(prompt));
  });
});

function overlaps(one: Node, other: Node): boolean {
  const isBeside = one.x + one.width <= other.x || other.x + other.width <= one.x;
  const isAbove = one.y + one.height <= other.y - TITLE_HEIGHT || other.y + other.height <= one.y - TITLE_HEIGHT;
  return !isBeside && !isAbove;
}

const ODD: JsonObject = {
  "57:8": {
    class_type: "CheckpointLoaderSimple",
    inputs: { ckpt_name: "a.safetensors" },
    _meta: { title: "Model “x”" },
  },
  "2": {
    class_type: "KSampler",
    inputs: { model: ["57:8", 0], seed: 18446744073709551615n, steps: ["9", 1], more: 5 },
  },
  "9": { class_type: "Stranger", inputs: { list: { __value__: [1, [2]] }, on: true, none: null, in: ["2", 0] } },
  "10": { class_type: "Stranger", inputs: { "my input": 'a "b"\n\\ \u2028 €', lambda: 1.5, gone: ["77", 0] } },
  "11": { class_type: "OddValues", inputs: { curve: { __type__: "CURVE", __value__: [[0, 1]] }, box: { x: 1 } } },
  "12": { class_type: "OddChoice", inputs: { kind: "scale", "kind.by": 2.25, after: "y" } },
  "13": { class_type: "OddGrown", inputs: { "images.image0": ["57:8", 0], "values.a": 5 } },
};

test("strange prompts are opened: new numbers, unknown types, rings, values that are lists", () => {
  const found = open(
    JSON.stringify(ODD, (_, each: unknown) => (typeof each === "bigint" ? 1 : each)),
    "x",
    TYPES,
  );
  expect(found.ok && [found.value.kind, found.value.document.root.nodes.size]).toEqual(["api", 7]);
  expect(found.ok && found.value.notes.map((note) => note.code)).toEqual([
    "reason.file_unknown_types",
    "reason.file_mended_links",
    "reason.file_new_ids",
  ]);
  const made = toPrompt(opened(ODD), TYPES);
  const prompt = made.ok ? made.value.prompt : {};
  expect(prompt).toMatchObject({
    "2": { inputs: { model: ["14", 0], seed: 18446744073709551615n, steps: ["9", 1], more: 5 } },
    "9": { inputs: { list: { __value__: [1, [2]] }, on: true, none: null, in: ["2", 0] } },
    "10": { inputs: { "my input": 'a "b"\n\\ \u2028 €', lambda: 1.5 } },
    "11": { inputs: { curve: { __type__: "CURVE", __value__: [[0, 1]] }, box: { x: 1 }, color: "#ff0000" } },
    "12": { inputs: { kind: "scale", "kind.by": 2.25, after: "y" } },
    "13": { inputs: { "images.image0": ["14", 0], "values.a": 5 } },
    "14": { class_type: "CheckpointLoaderSimple", _meta: { title: "Model “x”" } },
  });
});

test("a script says strange names, texts, rings and numbers as Python does", () => {
  const made = toPrompt(opened(ODD), TYPES);
  const script = toPython(opened(ODD), TYPES, 'My """ flow\n\\');
  const [answer] = scriptPrompts([script]);
  expect(answer?.error).toBeUndefined();
  const wanted = inputsOf(made.ok ? made.value.prompt : {}) as Record<string, unknown>;
  // The library takes the wrapping off a curve as it takes it off any list.
  wanted["11"] = ["OddValues", { curve: { __value__: [[0, 1]] }, box: { x: 1 }, color: "#ff0000" }, null];
  expect(inputsOf(answer?.prompt ?? {})).toEqual(wanted);
  expect(script).toContain("model_x = graph.node(");
  expect(script).toContain('"my input": "a \\"b\\"\\n\\\\ \\u2028 €"');
});

test("a script says any float as one that Python reads, of the same value", () => {
  const type = {
    input: { required: { f: ["FLOAT", { default: 1 }] } },
    output: [],
    output_is_list: [],
    output_name: [],
    name: "Draw",
    display_name: "",
    description: "",
    python_module: "nodes",
    category: "",
    output_node: true,
  };
  const types = typesOf({ Draw: type });
  const made = newNode(types, "Draw", "1", { x: 0, y: 0 });
  const document = emptyDocument("d");
  const script = (f: number) => {
    const nodes = new Map([["1", { ...made, values: { f } }]]);
    return toPython({ ...document, root: { ...document.root, nodes, lastNode: 1 } }, types, "x");
  };
  expect(script(2)).toContain('"Draw", id="1", f=2.0)');
  expect(script(-3)).toContain("f=-3.0)");
  expect(script(0.5)).toContain("f=0.5)");
  expect(script(1e21)).toContain("f=1e+21)");
  expect(script(-2.5e300)).toContain("f=-2.5e+300)");
});

test("a script is readable", () => {
  const found = REAL.find((each) => each.name === "text_to_image.editor.json");
  const script = found === undefined ? "" : toPython(found.document, TYPES, "Text to image");
  expect(script).toContain(
    'positive = graph.node(\n        "CLIPTextEncode",\n        id="6",\n        title="Positive",',
  );
  expect(script).toContain('    vae_decode = graph.node("VAEDecode", id="8", samples=k_sampler, vae=');
  expect(Math.max(...script.split("\n").map((line) => line.length))).toBeLessThan(140);
});
