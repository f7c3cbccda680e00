/** ComfyUI 0.3.64's core node types, as real as facts about them can be, and a few of our own for rarer forms. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

import { parse } from "@/format/json";
import type { NodeTypes } from "@/graph/node_type";
import { readObjectInfo } from "@/graph/object_info";
import { isObject, type JsonObject, type Value } from "@/graph/value";

const SPECS = fileURLToPath(new URL("../../../../tests/data/node_specs.json.gz", import.meta.url));

function specs(): JsonObject {
  const read = parse(gunzipSync(readFileSync(SPECS)).toString("utf-8"));
  if (!read.ok || !isObject(read.value)) throw new Error("the facts about node types cannot be read");
  return read.value;
}

function entry(name: string, spec: Value): JsonObject {
  const told = isObject(spec) ? spec : {};
  return {
    name,
    input: told["inputs"] ?? {},
    input_order: told["input_order"] ?? {},
    output: told["outputs"] ?? [],
    output_name: told["output_names"] ?? [],
    output_is_list: told["output_is_list"] ?? [],
    output_node: told["output_node"] ?? false,
    category: told["category"] ?? "",
    python_module: told["module"] ?? "nodes",
    deprecated: told["deprecated"] ?? false,
    experimental: told["experimental"] ?? false,
  };
}

export const OWN: JsonObject = {
  TestChoice: {
    input: {
      required: {
        image: ["IMAGE", {}],
        how: [
          "COMFY_DYNAMICCOMBO_V3",
          {
            options: [
              { key: "size", inputs: { required: { width: ["INT", { default: 512, min: 16 }], mask: ["MASK", {}] } } },
              { key: "factor", inputs: { required: { by: ["FLOAT", { default: 2.5 }] } } },
            ],
          },
        ],
      },
    },
    output: ["IMAGE"],
    search_aliases: ["enlarge", "shrink"],
  },
  TestGrowing: {
    input: {
      required: {
        images: [
          "COMFY_AUTOGROW_V3",
          { template: { input: { required: { image: ["IMAGE", {}] } }, prefix: "image", min: 2, max: 4 } },
        ],
      },
    },
    output: ["IMAGE"],
  },
};

export const TYPES: NodeTypes = readObjectInfo({
  ...Object.fromEntries(Object.entries(specs()).map(([name, spec]) => [name, entry(name, spec)])),
  ...OWN,
});
