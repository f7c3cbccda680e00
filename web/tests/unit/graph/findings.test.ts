import { expect, test } from "vitest";

import { BYPASSED, type Document, MUTED, ROOT } from "@/graph/document";
import { disconnect } from "@/graph/edits/links";
import { addNode, setMode, setTitle } from "@/graph/edits/nodes";
import { pack, promote } from "@/graph/edits/subgraphs";
import { setValue, setValues } from "@/graph/edits/values";
import { outputNodes } from "@/graph/findings";
import { linkInto } from "@/graph/links";
import { checkDocument } from "@/graph/rules";

import { graph, textToImage, value } from "./build";
import { TYPES } from "./node_types";

/** The facts know of no model files. */
function ready(): Document {
  return setMode(textToImage(), ROOT, [], 0);
}

function found(document: Document): readonly string[] {
  return checkDocument(document, TYPES)
    .filter((each) => each.input !== "ckpt_name")
    .map((each) => `${[...each.path, each.node].join(":")} ${each.input ?? ""} ${each.reason.code}`);
}

/** The words of the first finding. */
function words(document: Document): unknown {
  return checkDocument(document, TYPES).find((each) => each.input !== "ckpt_name")?.reason.words;
}

function cut(document: Document, id: string, slot: number): Document {
  return disconnect(document, ROOT, [linkInto(graph(document), id, slot)?.id ?? ""]);
}

test("nothing is wrong with what would run", () => {
  expect(found(ready())).toEqual([]);
});

test("a socket without a wire and a value out of its range are found, each at its input", () => {
  const document = setValues(cut(ready(), "5", 0), ROOT, TYPES, "5", { steps: 0, sampler_name: "magic" });
  expect(found(document).toSorted()).toEqual([
    "5 model reason.missing_input",
    "5 sampler_name reason.not_a_choice",
    "5 steps reason.too_small",
  ]);
});

test("what no output needs is not looked at", () => {
  const document = setValue(cut(ready(), "6", 0), ROOT, TYPES, "5", "steps", 0);
  expect(found(document)).toEqual(["6 samples reason.missing_input"]);
  expect(found(setMode(document, ROOT, ["7"], MUTED))).toEqual([]);
});

test("a muted node feeds nothing, a bypassed one hands on what fits", () => {
  expect(found(setMode(ready(), ROOT, ["5"], MUTED))).toEqual(["6 samples reason.from_muted"]);
  expect(found(setMode(ready(), ROOT, ["5"], BYPASSED))).toEqual([]);
  expect(found(setMode(ready(), ROOT, ["6"], BYPASSED))).toEqual(["7 images reason.from_bypassed"]);
});

test("what comes from a muted node, or ends at a bypassed one, is said with that node's name", () => {
  expect(words(setMode(ready(), ROOT, ["5"], MUTED))).toEqual({ input: "samples", node: "KSampler 5" });
  const named = setTitle(ready(), ROOT, "6", "Pixels");
  expect(words(setMode(named, ROOT, ["6"], BYPASSED))).toEqual({ input: "images", node: "Pixels" });
  // Through a bypassed sampler the wire goes on to a muted latent.
  expect(words(setMode(setMode(ready(), ROOT, ["5"], BYPASSED), ROOT, ["4"], MUTED))).toMatchObject({
    input: "samples",
  });
  // Inside a sub-graph the node that is off is named, not the box around it.
  const packed = value(pack(ready(), ROOT, { nodes: new Set(["5"]) }, "Sample"));
  const inside = packed.document.root.nodes.get(packed.id)?.type ?? "";
  expect(words(setMode(packed.document, inside, ["5"], MUTED))).toEqual({ input: "samples", node: "KSampler 5" });
  expect(words(setMode(packed.document, ROOT, [packed.id], MUTED))).toEqual({ input: "samples", node: "Sample" });
});

test("a node of unknown type is found where something needs it", () => {
  const { document, id } = addNode(ready(), ROOT, TYPES, "FromNowhere", { x: 0, y: 0 });
  expect(found(document)).toEqual([]);
  const root = graph(document);
  const nodes = new Map(root.nodes);
  const stranger = nodes.get(id);
  if (stranger === undefined) throw new Error("no node");
  nodes.set(id, { ...stranger, outputs: [{ name: "x", type: "LATENT", label: null, rest: {} }] });
  const links = new Map(root.links);
  const before = linkInto(root, "6", 0);
  if (before === null) throw new Error("no link");
  links.set(before.id, { ...before, origin: id, originSlot: 0 });
  expect(found({ ...document, root: { ...root, nodes, links } })).toEqual([`${id}  reason.unknown_type`]);
});

test("inside a sub-graph findings carry the way there, and the value an instance holds counts", () => {
  const packed = value(pack(ready(), ROOT, { nodes: new Set(["5"]) }, "Sample"));
  let document = value(promote(packed.document, ROOT, TYPES, packed.id, "5", "steps"));
  expect(found(document)).toEqual([]);
  document = setValue(document, ROOT, TYPES, packed.id, "steps", -3);
  expect(found(document)).toEqual([`${packed.id}:5 steps reason.too_small`]);
});

test("a ring that a file brought is found", () => {
  const document = ready();
  const link = linkInto(graph(document), "5", 3);
  if (link === null) throw new Error("no link");
  const upscaled = addNode(document, ROOT, TYPES, "LatentUpscale", { x: 0, y: 0 });
  const root = graph(upscaled.document);
  const links = new Map(root.links)
    .set(link.id, { ...link, origin: upscaled.id, originSlot: 0 })
    .set("99", { ...link, id: "99", origin: "5", originSlot: 0, target: upscaled.id, targetSlot: 0 });
  const ringed = { ...upscaled.document, root: { ...root, links, lastLink: 99 } };
  expect(found(ringed).toSorted()).toEqual(["5  reason.in_ring", `${upscaled.id}  reason.in_ring`]);
});

test("the outputs are those that run, wherever they stand", () => {
  const packed = value(pack(ready(), ROOT, { nodes: new Set(["7"]) }, "Save"));
  expect(outputNodes(packed.document, TYPES)).toEqual([{ path: [packed.id], node: "7" }]);
  expect(outputNodes(setMode(packed.document, ROOT, [packed.id], MUTED), TYPES)).toEqual([]);
});
