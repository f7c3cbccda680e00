import { expect, test } from "vitest";

import { INPUT_NODE, OUTPUT_NODE, ROOT } from "@/graph/document";
import { connect, connectFitting, disconnect, insertReroute, removeAround } from "@/graph/edits/links";
import { convertToInput, convertToWidget, setValue } from "@/graph/edits/values";
import { pack, removePort } from "@/graph/edits/subgraphs";
import { linkInto, linksFrom, linksOf } from "@/graph/links";
import { areCompatible, canConnect } from "@/graph/rules";
import { throughBypassed } from "@/graph/sockets";

import { codeOf, graph, into, node, textToImage, value, wire, withNodes } from "./build";
import { TYPES } from "./node_types";

test.each([
  ["MODEL", "MODEL", true],
  ["model", "MODEL", true],
  ["MODEL", "CLIP", false],
  ["*", "CLIP", true],
  ["INT", "", true],
  ["INT,FLOAT", "FLOAT", true],
  ["INT, FLOAT", "STRING,float", true],
  ["INT,FLOAT", "STRING", false],
])("%s and %s fit: %s", (one, other, fits) => {
  expect(areCompatible(one, other)).toBe(fits);
  expect(areCompatible(other, one)).toBe(fits);
});

test("a wire needs types that fit, and says which do not", () => {
  const document = withNodes("CheckpointLoaderSimple", "KSampler");
  const why = canConnect(document, ROOT, TYPES, { node: "1", slot: 1 }, into(document, "2", "model"));
  expect(why).toEqual({ code: "reason.type_mismatch", words: { given: "CLIP", wanted: "MODEL" } });
});

test("a node feeds neither itself nor what it waits for", () => {
  const document = wire(withNodes("VAEDecode", "VAEEncode"), "1", 0, "2", "pixels");
  const loop = connect(document, ROOT, TYPES, { node: "2", slot: 0 }, into(document, "1", "samples"));
  expect(codeOf(loop)).toBe("reason.cycle");
  const latent = withNodes("LatentUpscale");
  const self = connect(latent, ROOT, TYPES, { node: "1", slot: 0 }, into(latent, "1", "samples"));
  expect(codeOf(self)).toBe("reason.same_node");
});

test("what is not there cannot be wired", () => {
  const document = withNodes("KSampler");
  expect(codeOf(connect(document, ROOT, TYPES, { node: "9", slot: 0 }, { node: "1", slot: 0 }))).toBe(
    "reason.no_such_slot",
  );
  expect(codeOf(connect(document, ROOT, TYPES, { node: "1", slot: 0 }, { node: "1", slot: 99 }))).toBe(
    "reason.no_such_slot",
  );
});

test("a new wire takes the place of the one before", () => {
  let document = withNodes("CheckpointLoaderSimple", "CheckpointLoaderSimple", "KSampler");
  document = wire(document, "1", 0, "3", "model");
  document = wire(document, "2", 0, "3", "model");
  expect(graph(document).links.size).toBe(1);
  expect(linkInto(graph(document), "3", 0)?.origin).toBe("2");
  expect(value(connect(document, ROOT, TYPES, { node: "2", slot: 0 }, { node: "3", slot: 0 }))).toBe(document);
});

test("a wire dropped on a widget makes it an input, and back it is a widget with its value", () => {
  let document = withNodes("PrimitiveInt", "KSampler");
  document = wire(document, "1", 0, "2", "seed");
  expect(node(document, "2").inputs.at(-1)).toMatchObject({ name: "seed", type: "INT", isWidget: true });
  document = convertToWidget(document, ROOT, "2", "seed");
  expect(graph(document).links.size).toBe(0);
  expect(node(document, "2").inputs.map((slot) => slot.name)).not.toContain("seed");
  expect(node(document, "2").values["seed"]).toBe(0);
});

test("when a slot goes, the wires behind it keep their slots", () => {
  let document = withNodes("PrimitiveInt", "PrimitiveFloat", "KSampler");
  document = wire(document, "1", 0, "3", "seed");
  document = wire(document, "2", 0, "3", "cfg");
  document = convertToWidget(document, ROOT, "3", "seed");
  const [link] = linksOf(graph(document), "3");
  expect(node(document, "3").inputs[link?.targetSlot ?? -1]?.name).toBe("cfg");
});

test("only widgets become inputs", () => {
  const document = withNodes("KSampler");
  expect(codeOf(convertToInput(document, ROOT, TYPES, "1", "nothing"))).toBe("reason.not_a_widget");
  expect(value(convertToInput(document, ROOT, TYPES, "1", "model"))).toBe(document);
});

test("a primitive becomes what it is wired to, and forgets it with its last wire", () => {
  let document = withNodes("PrimitiveNode", "KSampler", "SaveImage");
  document = setValue(document, ROOT, TYPES, "2", "seed", 18446744073709551615n);
  document = wire(document, "1", 0, "2", "seed");
  expect(node(document, "1").outputs[0]).toMatchObject({ name: "seed", type: "INT" });
  expect(node(document, "1").values).toEqual({ value: 18446744073709551615n });
  expect(node(document, "1").controls).toEqual({ value: "randomize" });
  const text = connect(document, ROOT, TYPES, { node: "1", slot: 0 }, { node: "3", widget: "filename_prefix" });
  expect(codeOf(text)).toBe("reason.type_mismatch");
  const socket = connect(document, ROOT, TYPES, { node: "1", slot: 0 }, into(document, "2", "model"));
  expect(codeOf(socket)).toBe("reason.primitive_needs_widget");
  const cut = disconnect(document, ROOT, graph(document).links.keys());
  expect(node(cut, "1").outputs[0]?.type).toBe("*");
  expect(node(cut, "1").values).toEqual({});
});

test("a primitive with a choice feeds only inputs that offer the same", () => {
  let document = withNodes("PrimitiveNode", "KSampler", "KSampler");
  document = wire(document, "1", 0, "2", "sampler_name");
  const other = connect(document, ROOT, TYPES, { node: "1", slot: 0 }, { node: "3", widget: "scheduler" });
  expect(codeOf(other)).toBe("reason.other_choices");
  expect(connect(document, ROOT, TYPES, { node: "1", slot: 0 }, { node: "3", widget: "sampler_name" }).ok).toBe(true);
});

test("reroutes in a row take their type from above, else from below", () => {
  let document = withNodes("Reroute", "Reroute", "KSampler", "CheckpointLoaderSimple");
  document = wire(document, "1", 0, "2", "");
  expect(node(document, "1").outputs[0]?.type).toBe("*");
  document = wire(document, "2", 0, "3", "model");
  expect(["1", "2"].map((id) => node(document, id).outputs[0]?.type)).toEqual(["MODEL", "MODEL"]);
  expect([...graph(document).links.values()].map((link) => link.type)).toEqual(["MODEL", "MODEL"]);
  const clip = connect(document, ROOT, TYPES, { node: "4", slot: 1 }, { node: "1", slot: 0 });
  expect(codeOf(clip)).toBe("reason.type_mismatch");
  expect(connect(document, ROOT, TYPES, { node: "4", slot: 0 }, { node: "1", slot: 0 }).ok).toBe(true);
});

test("a reroute is put into a wire", () => {
  const document = wire(withNodes("CheckpointLoaderSimple", "KSampler"), "1", 0, "2", "model");
  const added = value(insertReroute(document, ROOT, "1", { x: 5, y: 6 }));
  expect(linkInto(graph(added.document), "2", 0)?.origin).toBe(added.id);
  expect(linkInto(graph(added.document), added.id, 0)?.origin).toBe("1");
  expect(node(added.document, added.id).outputs[0]?.type).toBe("MODEL");
});

test("a bypassed node hands on what has the type that is asked for", () => {
  const lora = node(withNodes("LoraLoader"), "1");
  expect(lora.inputs.map((slot) => slot.type)).toEqual(["MODEL", "CLIP"]);
  expect(throughBypassed(lora, 1, "CLIP")).toBe(1);
  expect(throughBypassed(lora, 0, "CLIP")).toBe(1);
  expect(throughBypassed(lora, 0, "VAE")).toBeNull();
  expect(throughBypassed(lora, 0, "*")).toBe(0);
  expect(throughBypassed(node(withNodes("VAEDecode"), "1"), 0, "IMAGE")).toBeNull();
});

test("removing nodes on the way keeps the wires that fit", () => {
  let document = withNodes("CheckpointLoaderSimple", "LoraLoader", "LoraLoader", "KSampler", "CLIPTextEncode");
  for (const [from, to] of [
    ["1", "2"],
    ["2", "3"],
  ] as const) {
    document = wire(document, from, 0, to, "model");
    document = wire(document, from, 1, to, "clip");
  }
  document = wire(document, "3", 0, "4", "model");
  document = wire(document, "3", 1, "5", "clip");
  const after = removeAround(document, ROOT, ["2", "3"]);
  expect(linkInto(graph(after), "4", 0)).toMatchObject({ origin: "1", originSlot: 0 });
  const clip = into(after, "5", "clip");
  expect("slot" in clip && linkInto(graph(after), "5", clip.slot)).toMatchObject({ origin: "1", originSlot: 1 });
  expect(graph(after).links.size).toBe(2);
});

test("a node dropped on a wire's end is wired where it fits first", () => {
  const document = withNodes("CheckpointLoaderSimple", "KSampler", "PrimitiveFloat");
  const model = connectFitting(document, ROOT, TYPES, "2", { from: { node: "1", slot: 0 } });
  expect(linksFrom(graph(model), "1", 0)).toHaveLength(1);
  const float = connectFitting(document, ROOT, TYPES, "2", { from: { node: "3", slot: 0 } });
  expect(node(float, "2").inputs.at(-1)?.name).toBe("cfg");
  expect(connectFitting(document, ROOT, TYPES, "2", { from: { node: "1", slot: 2 } })).toBe(document);
});

test("at the boundary of a sub-graph a wire to the free place makes a port, and instances get a slot", () => {
  const packed = value(pack(withNodes("VAEDecode"), ROOT, { nodes: new Set(["1"]) }, "Decode"));
  const inside = packed.definition;
  const bare = [...graph(packed.document, inside).inputs, ...graph(packed.document, inside).outputs].reduce(
    (each, { id }) => removePort(removePort(each, inside, "input", id), inside, "output", id),
    packed.document,
  );
  expect(node(bare, packed.id)).toMatchObject({ inputs: [], outputs: [] });
  let document = value(connect(bare, inside, TYPES, { node: INPUT_NODE, slot: 0 }, { node: "1", slot: 0 }));
  document = value(connect(document, inside, TYPES, { node: "1", slot: 0 }, { node: OUTPUT_NODE, slot: 0 }));
  expect(graph(document, inside).inputs).toMatchObject([{ name: "samples", type: "LATENT" }]);
  expect(node(document, packed.id).inputs).toMatchObject([{ name: "samples", type: "LATENT", isWidget: false }]);
  expect(node(document, packed.id).outputs).toMatchObject([{ name: "IMAGE", type: "IMAGE" }]);
});

test("a pack of two nodes with a third between them is no ring", () => {
  const document = textToImage();
  const packed = value(pack(document, ROOT, { nodes: new Set(["4", "6"]) }, "Around"));
  const instance = node(packed.document, packed.id);
  const sampler = linkInto(graph(packed.document), "5", 3);
  expect(sampler?.origin).toBe(packed.id);
  const samples = instance.inputs.findIndex((slot) => slot.name === "samples");
  const cut = disconnect(packed.document, ROOT, [linkInto(graph(packed.document), packed.id, samples)?.id ?? ""]);
  expect(canConnect(cut, ROOT, TYPES, { node: "5", slot: 0 }, { node: packed.id, slot: samples })).toBeNull();
});

test("a chosen option brings its inputs and takes those of the other away", () => {
  let document = withNodes("TestChoice", "LoadImage");
  expect(node(document, "1").inputs.map((slot) => slot.name)).toEqual(["image", "how.mask"]);
  expect(node(document, "1").values).toEqual({ how: "size", "how.width": 512 });
  document = wire(document, "2", 1, "1", "how.mask");
  document = setValue(document, ROOT, TYPES, "1", "how", "factor");
  expect(node(document, "1").inputs.map((slot) => slot.name)).toEqual(["image"]);
  expect(node(document, "1").values).toMatchObject({ how: "factor", "how.by": 2.5 });
  expect(graph(document).links.size).toBe(0);
});

test("a growing group has one free input behind its last wire, up to its end", () => {
  let document = withNodes("TestGrowing", "LoadImage");
  const names = (): readonly string[] => node(document, "1").inputs.map((slot) => slot.name);
  expect(names()).toEqual(["images.image0", "images.image1"]);
  document = wire(document, "2", 0, "1", "images.image1");
  expect(names()).toEqual(["images.image0", "images.image1", "images.image2"]);
  document = wire(document, "2", 0, "1", "images.image2");
  document = wire(document, "2", 0, "1", "images.image3");
  expect(names()).toHaveLength(4);
});
