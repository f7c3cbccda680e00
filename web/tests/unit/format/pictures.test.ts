/** Workflows inside pictures, written by the server's own code. */

import { deflateSync } from "node:zlib";

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { open } from "@/format/open";
import { parse } from "@/format/json";
import { textsIn } from "@/format/pictures";

import { coreObjectInfo, realWorkflows, serverPictures, typesOf } from "./server";

const TYPES = typesOf(coreObjectInfo());
const WORKFLOW = realWorkflows().get("text_to_image.editor.json") ?? {};
const PROMPT = { "7": { class_type: "VAEDecode", inputs: { seed: 18446744073709551615n, text: "ünïcode 日本" } } };
const PICTURES = serverPictures({ workflow: WORKFLOW, prompt: PROMPT });
const ONLY_PROMPT = serverPictures({ prompt: PROMPT });

describe.each(["tEXt.png", "zTXt.png", "iTXt.png", "exif.webp", "exif.jpg"])("%s", (name) => {
  const picture = PICTURES[name] ?? new Uint8Array();

  test("gives back the workflow that was written", () => {
    const { workflow = "", prompt = "" } = textsIn(picture);
    expect([parse(workflow), parse(prompt)]).toEqual([
      { ok: true, value: WORKFLOW },
      { ok: true, value: PROMPT },
    ]);
  });

  test("opens as the drawn workflow, or as the prompt when that is all there is", () => {
    const drawn = open(picture, name, TYPES);
    expect(drawn.ok && [drawn.value.kind, drawn.value.document.root.nodes.size]).toEqual(["editor", 7]);
    const ran = open(ONLY_PROMPT[name] ?? new Uint8Array(), name, TYPES);
    expect(ran.ok && [ran.value.kind, ran.value.document.root.nodes.get("7")?.type]).toEqual(["api", "VAEDecode"]);
  });

  test("no damage makes it fail", () => {
    const damage = fc.array(fc.tuple(fc.nat(picture.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(damage, fc.nat(picture.length), (changes, end) => {
        const bytes = picture.slice(0, end % 3 === 0 ? end : undefined);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        textsIn(bytes);
        open(bytes, name, TYPES);
      }),
      { numRuns: 150 },
    );
  });
});

test("a picture without a workflow says so", () => {
  const found = open(PICTURES["bare.png"] ?? new Uint8Array(), "bare.png", TYPES);
  expect(found).toEqual({
    ok: false,
    reason: { code: "reason.file_picture_without_workflow", words: { name: "bare.png" } },
  });
});

test("a text that unpacks to too much is left out", () => {
  const packed = deflateSync(new Uint8Array(70_000_000));
  const body = Buffer.concat([Buffer.from("zTXtworkflow\0\0"), packed]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length - 4);
  const bomb = Buffer.concat([
    (PICTURES["bare.png"] ?? new Uint8Array()).subarray(0, 33),
    length,
    body,
    Buffer.alloc(4),
  ]);
  expect(textsIn(bomb)).toEqual({});
});

test("other files are refused in words", () => {
  for (const bytes of [new Uint8Array([0, 1, 2]), new TextEncoder().encode("hello"), new Uint8Array()]) {
    const found = open(bytes, "x.bin", TYPES);
    expect(found.ok ? "" : found.reason.code).toMatch(/^reason\.file_/);
  }
});
