/** Texts as they are sent; the same cases as the server's own tests. */

import { expect, test } from "vitest";

import { choose, fillIn, settleTexts } from "@/format/texts";
import { toPrompt } from "@/format/prompt";
import { type Document, emptyDocument, INPUT_NODE, type Link, ROOT } from "@/graph/document";
import { addNode } from "@/graph/edits/nodes";
import { setValue } from "@/graph/edits/values";
import { pack } from "@/graph/edits/subgraphs";
import { isObject, type Value } from "@/graph/value";

import { coreObjectInfo, typesOf } from "./server";

const TYPES = typesOf(coreObjectInfo());
const NOW = new Date(2024, 2, 5, 7, 8, 9);

test.each([
  ["a {red|blue} hat", ["a blue hat", "a red hat"]],
  ["{a|{b|c} d}", ["a", "b d", "c d"]],
  ["{a|}", ["", "a"]],
  ["\\{a\\|b\\} \\x", ["{a|b} \\x"]],
  ["{a\\|b|c}", ["a|b", "c"]],
  ["one /* two\nthree */four // five\nsix", ["one four \nsix"]],
  ["a | b } c", ["a | b } c"]],
  ["open {a|b", ["open {a|b"]],
  ["{x|{a|b", ["{x|{a|b"]],
])("of %j one of each choice is taken", (text, possible) => {
  const found = new Set(Array.from({ length: 200 }, () => choose(text, Math.random)));
  expect([...found].toSorted()).toEqual(possible);
});

test("braces nest without end", () => {
  expect(choose("{".repeat(50_000) + "x" + "}".repeat(50_000), Math.random)).toBe("x");
});

test.each([
  ["%date:yyyy-MM-dd%/%date:hh.mm.ss%", "2024-03-05/07.08.09"],
  ["%date:yy M d h%", "24 3 5 7"],
  ["%KSampler.seed%_%Loader.name%", "7_a_b_c.ckpt"],
  ["%width%_%No.such%_100%", "%width%_%No.such%_100%"],
])("%j becomes the file name %j", (text, expected) => {
  const values: Record<string, Value> = { "KSampler.seed": 7, "Loader.name": "a/b:c.ckpt" };
  expect(fillIn(text, NOW, (word) => values[word])).toBe(expected);
});

function withText(text: string): { document: Document; id: string } {
  const { document, id } = addNode(emptyDocument("d"), ROOT, TYPES, "CLIPTextEncode", { x: 0, y: 0 });
  return { document: setValue(document, ROOT, TYPES, id, "text", text), id };
}

test("only inputs that ask for it are settled, and what is settled is what is sent", () => {
  const { document, id } = withText("{a}");
  const saver = addNode(document, ROOT, TYPES, "SaveImage", { x: 0, y: 0 });
  const named = setValue(
    saver.document,
    ROOT,
    TYPES,
    saver.id,
    "filename_prefix",
    "{a}%date:yyyy%_%CLIPTextEncode.text%",
  );
  const settled = settleTexts(named, TYPES, { random: () => 0, now: NOW });
  const made = toPrompt(settled, TYPES);
  const entry = (key: string): unknown => {
    const found = made.ok ? made.value.prompt[key] : null;
    return isObject(found) ? found["inputs"] : null;
  };
  expect(entry(id)).toEqual({ text: "a" });
  expect(entry(saver.id)).toEqual({ filename_prefix: "{a}2024_{a}" });
  expect(named.root.nodes.get(id)?.values["text"]).toBe("{a}");
  expect(settleTexts(settled, TYPES, { random: () => 0, now: NOW })).toBe(settled);
});

test("texts inside sub-graphs are settled, and those their instances hold", () => {
  const { document, id } = withText("{a|b}");
  const packed = pack(document, ROOT, { nodes: new Set([id]), groups: new Set() }, "P");
  if (!packed.ok) throw new Error(packed.reason.code);
  const [inner] = [...packed.value.document.subgraphs.values()];
  const [instance] = [...packed.value.document.root.nodes.values()];
  if (inner === undefined || instance === undefined) throw new Error("nothing was packed");
  const settled = settleTexts(packed.value.document, TYPES, { random: () => 0.9, now: NOW });
  expect(settled.subgraphs.get(inner.id)?.nodes.get(id)?.values["text"]).toBe("b");

  const port = { id: "p", name: "words", type: "STRING", label: null, rest: {} };
  const node = inner.nodes.get(id);
  if (node === undefined) throw new Error("the node was not packed");
  const slot = { name: "text", type: "STRING", label: null, isWidget: true, rest: {} };
  const inputs = [...node.inputs, slot];
  const link: Link = {
    id: "77",
    origin: INPUT_NODE,
    originSlot: inner.inputs.length,
    target: id,
    targetSlot: inputs.length - 1,
    type: "STRING",
    rest: {},
  };
  const promoted = {
    ...inner,
    inputs: [...inner.inputs, port],
    nodes: new Map(inner.nodes).set(id, { ...node, inputs }),
    links: new Map(inner.links).set("77", link),
  };
  const held: Document = {
    ...packed.value.document,
    root: {
      ...packed.value.document.root,
      nodes: new Map([[instance.id, { ...instance, values: { words: "{c|d}" }, promoted: [["-1", "words"]] }]]),
    },
    subgraphs: new Map([[inner.id, promoted]]),
  };
  const both = settleTexts(held, TYPES, { random: () => 0, now: NOW });
  expect(both.root.nodes.get(instance.id)?.values["words"]).toBe("c");
});
