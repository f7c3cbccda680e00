/** A file that was opened and written again, with nothing done to it, is the file it was. */

import { expect, test } from "vitest";

import { read, write } from "@/format/editor_file";
import { moveTo } from "@/graph/edits/nodes";
import { setValue } from "@/graph/edits/values";
import type { Document } from "@/graph/document";
import type { JsonObject } from "@/graph/value";

import { coreObjectInfo, realWorkflows, typesOf } from "./server";

const TYPES = typesOf(coreObjectInfo());
const REAL = [...realWorkflows()];

/** What opening mends or completes: a link listed in the order of the graph, sockets a type has gained since. */
const MENDED = new Set([
  "gligen_gligen_textbox_example.json",
  "stable_cascade_stable_cascade_canny_controlnet.json",
  "stable_cascade_stable_cascade_inpaint_controlnet.json",
]);

function opened(file: JsonObject): Document {
  const found = read(file, TYPES);
  if (!found.ok) throw new Error(found.reason.code);
  return found.value.document;
}

function withoutEnds(each: JsonObject): unknown {
  return JSON.parse(JSON.stringify(each), (key, value: unknown) =>
    key === "inputs" || key === "links" ? null : value,
  );
}

test.each(REAL.filter(([name]) => !MENDED.has(name)))("%s comes back as it was, with an id", (_, file) => {
  const { id, ...written } = write(opened(file), TYPES);
  const { id: told, ...others } = file;
  expect(id).toEqual(told ?? expect.any(String));
  expect(written).toEqual(others);
});

test("what is mended is all that changes in a file that needs it", () => {
  for (const name of MENDED) {
    const file = new Map(REAL).get(name);
    if (file === undefined) continue;
    const { id: _, ...written } = write(opened(file), TYPES);
    const { id: __, ...others } = file;
    expect(withoutEnds(written), name).toEqual(withoutEnds(others));
  }
});

const NODE = {
  id: 1,
  type: "EmptyLatentImage",
  pos: { "0": 10, "1": 20, "2": 0 },
  size: { "0": 315, "1": 106 },
  flags: { collapsed: false },
  outputs: [{ name: "LATENT", type: "LATENT", links: null }],
  widgets_values: [512, 512, 1],
};

test("what is changed is written in the form of the file", () => {
  const document = opened({ nodes: [NODE], links: [], version: 0.4 });
  const moved = moveTo(document, "", new Map([["1", { x: 70, y: 80 }]]));
  const changed = setValue(moved, "", TYPES, "1", "width", 640);
  expect(write(changed, TYPES)["nodes"]).toMatchObject([
    { ...NODE, pos: { "0": 70, "1": 80, "2": 0 }, widgets_values: [640, 512, 1] },
  ]);
  expect(opened(write(changed, TYPES))).toEqual(changed);
});
