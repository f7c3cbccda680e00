/** What an edit of a graph of 2,000 nodes costs: it should not be felt in a frame of 16 ms. `npm run bench`. */

import { bench, describe } from "vitest";

import { type Document, emptyDocument, ROOT } from "@/graph/document";
import { connect, disconnect } from "@/graph/edits/links";
import { addNode, moveTo } from "@/graph/edits/nodes";
import { setValue } from "@/graph/edits/values";
import { checkDocument } from "@/graph/rules";

import { value } from "../tests/unit/graph/build";
import { TYPES } from "../tests/unit/graph/node_types";

const NODES = 2000;

/** Rows of model patches: long chains, which are the worst case for following wires. */
function large(): Document {
  let document = emptyDocument("large");
  for (let i = 0; i < NODES; i += 1) {
    const type = i % 10 === 0 ? "CheckpointLoaderSimple" : i % 10 === 9 ? "ModelSave" : "LoraLoaderModelOnly";
    document = addNode(document, ROOT, TYPES, type, { x: 300 * (i % 10), y: 200 * Math.floor(i / 10) }).document;
    if (i % 10 === 0) continue;
    const [from, to] = [
      { node: String(i), slot: 0 },
      { node: String(i + 1), slot: 0 },
    ];
    document = value(connect(document, ROOT, TYPES, from, to));
  }
  return document;
}

const document = large();
const link = document.root.links.keys().next().value ?? "";

describe(`one edit among ${NODES} nodes`, () => {
  bench("move", () => void moveTo(document, ROOT, new Map([["1", { x: -1, y: 1 }]])));
  bench("value", () => void setValue(document, ROOT, TYPES, "2", "strength_model", 0.5));
  bench("add", () => void addNode(document, ROOT, TYPES, "KSampler", { x: 0, y: 0 }));
  bench("connect", () => void connect(document, ROOT, TYPES, { node: "1", slot: 0 }, { node: "20", slot: 0 }));
  bench("disconnect", () => void disconnect(document, ROOT, [link]));
  bench("check everything", () => void checkDocument(document, TYPES));
});
