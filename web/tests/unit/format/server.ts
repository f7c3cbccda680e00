/** The server's side of the tests: our own Python code, run once for many workflows. Without it the tests fail. */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

import { parse, stringify } from "@/format/json";
import type { NodeTypes } from "@/graph/node_type";
import { readObjectInfo } from "@/graph/object_info";
import { isObject, type JsonObject, type Value } from "@/graph/value";

import { OWN } from "../graph/node_types";

export const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));

export interface Answer {
  readonly prompt?: JsonObject;
  readonly error?: string;
}

/** The prompts the server makes of these files. */
export function serverPrompts(objectInfo: JsonObject, files: readonly JsonObject[]): Answer[] {
  return answers("server_prompts.py", [objectInfo, ...files]);
}

/** The prompts that exported scripts build. */
export function scriptPrompts(scripts: readonly string[]): Answer[] {
  return answers("script_prompts.py", scripts);
}

/** Pictures that carry these texts, written by the server's code. */
export function serverPictures(texts: JsonObject): Record<string, Uint8Array> {
  const made = JSON.parse(python("server_pictures.py", stringify(texts))) as Record<string, string>;
  return Object.fromEntries(Object.entries(made).map(([name, data]) => [name, Buffer.from(data, "base64")]));
}

function answers(script: string, lines: readonly Value[]): Answer[] {
  const text = lines.map((each) => stringify(each)).join("\n");
  return python(script, `${text}\n`)
    .trimEnd()
    .split("\n")
    .map((line) => readJson(line) as Answer);
}

function python(script: string, input: string): string {
  const own = `${REPOSITORY}.venv/bin/python`;
  const program = process.env["PYTHON"] ?? (existsSync(own) ? own : "python3");
  const path = fileURLToPath(new URL(script, import.meta.url));
  return execFileSync(program, [path], { cwd: REPOSITORY, input, maxBuffer: 2 ** 30, encoding: "utf8" });
}

/** Entries of /object_info for ComfyUI 0.3.64's core nodes, and for kinds of inputs those do not have. */
export function coreObjectInfo(): JsonObject {
  const specs = readJson(
    gunzipSync(readFileSync(`${REPOSITORY}tests/data/node_specs.json.gz`)).toString(),
  ) as JsonObject;
  const entries = Object.entries(specs).map(([name, spec]) => [name, isObject(spec) ? entryOf(name, spec) : {}]);
  const rare = Object.entries(OWN).map(([name, entry]) => [name, isObject(entry) ? { name, ...entry } : {}]);
  return { ...(Object.fromEntries([...entries, ...rare]) as JsonObject), ...ODD_TYPES };
}

function entryOf(name: string, spec: JsonObject): JsonObject {
  return {
    name,
    input: spec["inputs"] ?? {},
    input_order: spec["input_order"] ?? {},
    output: spec["outputs"] ?? [],
    output_name: spec["output_names"] ?? [],
    output_is_list: spec["output_is_list"] ?? [],
    output_node: spec["output_node"] ?? false,
  };
}

function odd(name: string, required: JsonObject, optional: JsonObject = {}): [string, JsonObject] {
  return [
    name,
    { name, input: { required, optional }, output: ["IMAGE"], output_name: ["IMAGE"], output_is_list: [false] },
  ];
}

const IMAGE: Value = ["IMAGE", {}];

/** Forced inputs, controlled combos, growing groups, options that bring inputs, widgets of newer editors. */
export const ODD_TYPES: JsonObject = Object.fromEntries([
  odd(
    "OddForced",
    { amount: ["INT", { forceInput: true }], image: [["a.png"], { image_upload: true }] },
    { text: ["STRING", {}] },
  ),
  odd("OddControl", { mode: [["a", "b"], { control_after_generate: true }], seed: ["INT", {}], after: ["STRING", {}] }),
  odd("OddEmpty", { file: [[], {}], number: ["INT", { default: 7 }] }),
  odd("OddValues", { curve: ["CURVE", {}], box: ["BOUNDING_BOX", {}], color: ["COLOR", { default: "#ff0000" }] }),
  odd("OddChoice", {
    kind: [
      "COMFY_DYNAMICCOMBO_V3",
      {
        options: [
          { key: "size", inputs: { required: { width: ["INT", { default: 8 }], image: IMAGE } } },
          { key: "scale", inputs: { required: { by: ["FLOAT", { default: 1.5 }] } } },
        ],
      },
    ],
    after: ["STRING", { default: "x" }],
  }),
  odd("OddGrown", {
    images: [
      "COMFY_AUTOGROW_V3",
      { template: { input: { required: { image: IMAGE } }, prefix: "image", min: 1, max: 9 } },
    ],
    values: ["COMFY_AUTOGROW_V3", { template: { input: { required: { v: ["INT", {}] } }, names: ["a", "b"], min: 1 } }],
  }),
]);

export function typesOf(objectInfo: JsonObject): NodeTypes {
  return readObjectInfo(objectInfo);
}

/** Real workflows: those with the prompt the real editor made, and our own templates. By name. */
export function realWorkflows(): Map<string, JsonObject> {
  const found = new Map<string, JsonObject>();
  for (const [folder, wanted] of [
    [`${REPOSITORY}tests/data/workflow_pairs/`, "workflow"],
    [`${REPOSITORY}workflows/`, null],
  ] as const) {
    for (const name of readdirSync(folder).filter((each) => each.endsWith(".json"))) {
      const json = readJson(readFileSync(folder + name, "utf8"));
      const workflow = wanted === null || !isObject(json) ? json : json[wanted];
      if (isObject(workflow) && Array.isArray(workflow["nodes"])) found.set(name, workflow);
    }
  }
  return found;
}

export function readJson(text: string): Value {
  const found = parse(text);
  if (!found.ok) throw new Error(`${found.reason.code}: ${text.slice(0, 200)}`);
  return found.value;
}
