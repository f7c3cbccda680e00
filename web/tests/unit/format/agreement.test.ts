/** The prompt made in the browser is, by value, the one the server makes of the same file. */

import { describe, expect, test } from "vitest";

import { read, write } from "@/format/editor_file";
import { convert, toPrompt } from "@/format/prompt";
import type { Document } from "@/graph/document";
import { sameValue } from "@/graph/value";

import { coreObjectInfo, realWorkflows, serverPrompts, typesOf } from "./server";

const INFO = coreObjectInfo();
const TYPES = typesOf(INFO);
const REAL = [...realWorkflows()];
const SERVER = serverPrompts(
  INFO,
  REAL.map(([, file]) => file),
);
const DOCUMENTS = REAL.map(([, file]) => documentOf(file));
const WRITTEN = DOCUMENTS.map((document) => write(document, TYPES));
const SERVER_OF_WRITTEN = serverPrompts(INFO, WRITTEN);

function documentOf(file: Parameters<typeof read>[0]): Document {
  const found = read(file, TYPES);
  if (!found.ok) throw new Error(found.reason.code);
  return found.value.document;
}

test("there are 64 real workflows and our own templates", () => {
  expect(REAL.length).toBeGreaterThanOrEqual(66);
});

describe.each(REAL.map(([name, file], i) => ({ name, file, i })))("$name", ({ file, i }) => {
  test("converted as a file it is the server's prompt", () => {
    const made = convert(file, TYPES);
    expect(made.ok && made.value.prompt).toEqual(SERVER[i]?.prompt);
  });

  test("read into a document and run it is the server's prompt", () => {
    const made = toPrompt(documentOf(file), TYPES);
    expect(made.ok && made.value.prompt).toEqual(SERVER[i]?.prompt);
  });

  test("written again it is the same prompt on the server", () => {
    expect(SERVER_OF_WRITTEN[i]?.prompt).toEqual(SERVER[i]?.prompt);
  });

  test("read again it is the same document", () => {
    expect(documentOf(WRITTEN[i] ?? null)).toEqual(DOCUMENTS[i]);
  });

  test("nothing had to be written by name that was not", () => {
    const text = JSON.stringify(WRITTEN[i]);
    expect(text.includes("widgets_values_named")).toBe(JSON.stringify(file).includes("widgets_values_named"));
  });

  test("written and read twice it stays as it is", () => {
    expect(sameValue(write(documentOf(WRITTEN[i] ?? null), TYPES), WRITTEN[i] ?? null)).toBe(true);
  });
});
