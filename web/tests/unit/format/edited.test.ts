/** What holds of any document however it was edited: it comes back from its file, and means the same to the server. */

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { read, write } from "@/format/editor_file";
import { stringify } from "@/format/json";
import { toPrompt } from "@/format/prompt";
import { type Document, emptyDocument } from "@/graph/document";
import type { JsonObject } from "@/graph/value";

import { applyEdit, randomEdit } from "../graph/random_edits";
import { coreObjectInfo, readJson, realWorkflows, serverPrompts, typesOf } from "./server";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = Number(process.env["ROUNDS"] ?? 300);

console.log(`edited documents: SEED=${SEED}`);

const INFO = coreObjectInfo();
const TYPES = typesOf(INFO);

const EDITS = fc.sample(fc.array(randomEdit(), { minLength: 10, maxLength: 90 }), { seed: SEED, numRuns: ROUNDS });
const REAL = [...realWorkflows().values()];

/** Every other document begins as a real workflow. */
const DOCUMENTS = EDITS.map((edits, i) => {
  const start = i % 2 === 0 ? emptyDocument("test") : loaded(REAL[i % REAL.length] ?? {});
  return edits.reduce((document, edit) => applyEdit(document, edit, TYPES), start);
});

function loaded(file: JsonObject): Document {
  const found = read(file, TYPES);
  if (!found.ok) throw new Error(found.reason.code);
  return found.value.document;
}

/** Through text, as it is saved. */
function savedAndLoaded(document: Document): Document {
  return loaded(readJson(stringify(write(document, TYPES), 1)) as JsonObject);
}

/** With maps as lists, whose order counts, and numbers as JSON has them, where -0 is 0. */
function plain(document: Document): unknown {
  return JSON.parse(
    JSON.stringify(document, (_, value: unknown) =>
      value instanceof Map ? [...value] : typeof value === "bigint" ? `${value}n` : value,
    ),
  );
}

test("what is saved and loaded is the same document, in the same order", () => {
  for (const [i, document] of DOCUMENTS.entries()) {
    const again = savedAndLoaded(document);
    expect(plain(again), `document ${i}`).toEqual(plain(document));
  }
}, 60_000);

test("nothing needs repair in what we wrote", () => {
  for (const document of DOCUMENTS) {
    const found = read(write(document, TYPES), TYPES);
    expect(found.ok && found.value.notes.filter((note) => note.code.startsWith("reason.file_mended"))).toEqual([]);
  }
}, 60_000);

test("the prompt is the one the server makes of the saved file", () => {
  const answers = serverPrompts(
    INFO,
    DOCUMENTS.map((document) => write(document, TYPES)),
  );
  let nodes = 0;
  for (const [i, document] of DOCUMENTS.entries()) {
    const made = toPrompt(document, TYPES);
    expect(made.ok ? made.value.prompt : undefined, `document ${i}`).toEqual(answers[i]?.prompt);
    nodes += made.ok ? Object.keys(made.value.prompt).length : 0;
  }
  expect(nodes).toBeGreaterThan(5 * ROUNDS);
}, 60_000);
