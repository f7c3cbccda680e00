import { expect, test } from "vitest";

import { type Document, INPUT_NODE, ROOT } from "@/graph/document";
import { connect } from "@/graph/edits/links";
import { removeSelection, setMode } from "@/graph/edits/nodes";
import {
  addInstance,
  addPort,
  demote,
  makeUnique,
  movePort,
  pack,
  type Packed,
  promote,
  removePort,
  renamePort,
  unpack,
} from "@/graph/edits/subgraphs";
import { setValue } from "@/graph/edits/values";
import { invariants } from "@/graph/invariants";
import { linkInto } from "@/graph/links";
import { valueAt, widgetsAt } from "@/graph/node_inputs";

import { codeOf, graph, into, node, textToImage, value, withNodes } from "./build";
import { meaningOf } from "./meaning";
import { TYPES } from "./node_types";

function packedSampler(document: Document = textToImage()): Packed {
  return value(pack(document, ROOT, { nodes: new Set(["2", "3", "5"]) }, "Sample"));
}

test("packing makes one port per origin outside and one per origin inside", () => {
  const { document, id, definition } = packedSampler();
  const inside = graph(document, definition);
  // The checkpoint's CLIP goes to two prompts through one port.
  expect(inside.inputs.map((port) => port.type).toSorted()).toEqual(["CLIP", "LATENT", "MODEL"]);
  expect(inside.outputs.map((port) => port.type)).toEqual(["LATENT"]);
  expect(node(document, id).inputs.map((slot) => slot.name)).toEqual(inside.inputs.map((port) => port.name));
  expect([...graph(document).nodes.keys()]).toEqual(["1", "4", "6", "7", id]);
  expect(linkInto(graph(document), "6", 0)?.origin).toBe(id);
  expect(invariants(document, TYPES)).toEqual([]);
});

test("packing and unpacking bring everything back where it was", () => {
  const before = textToImage();
  const { document, id } = packedSampler(before);
  expect(meaningOf(document, TYPES)).toEqual(meaningOf(before, TYPES));
  const after = value(unpack(document, ROOT, id));
  expect(meaningOf(after.document, TYPES)).toEqual(meaningOf(before, TYPES));
  expect(after.document.subgraphs.size).toBe(0);
  const [prompt, , sampler] = after.selection.nodes;
  expect(node(after.document, prompt ?? "")).toMatchObject({ x: 300, y: 0 });
  expect(node(after.document, sampler ?? "")).toMatchObject({ x: 1200, y: 0 });
});

test("nothing selected is nothing to pack", () => {
  expect(codeOf(pack(textToImage(), ROOT, { nodes: new Set() }, "x"))).toBe("reason.nothing_selected");
  expect(codeOf(unpack(textToImage(), ROOT, "1"))).toBe("reason.not_a_subgraph");
});

test("sub-graphs may be packed into sub-graphs, but never into themselves", () => {
  const first = packedSampler();
  const second = value(pack(first.document, ROOT, { nodes: new Set([first.id, "6"]) }, "More"));
  expect(second.document.subgraphs.size).toBe(2);
  expect(meaningOf(second.document, TYPES)).toEqual(meaningOf(textToImage(), TYPES));
  const at = { x: 0, y: 0 };
  expect(codeOf(addInstance(second.document, first.definition, second.definition, at))).toBe("reason.contains_itself");
  expect(codeOf(addInstance(second.document, first.definition, first.definition, at))).toBe("reason.contains_itself");
  expect(addInstance(second.document, ROOT, first.definition, at).ok).toBe(true);
});

test("a promoted widget has a value of its own at each instance, and it counts inside", () => {
  const { document, id } = packedSampler();
  let after = value(promote(document, ROOT, TYPES, id, "5", "steps"));
  const other = value(addInstance(after, ROOT, node(after, id).type, { x: 0, y: 0 }));
  after = setValue(other.document, ROOT, TYPES, other.id, "steps", 7);
  expect(valueAt(after, node(after, id), "steps")).toBe(20);
  expect(valueAt(after, node(after, other.id), "steps")).toBe(7);
  const shown = widgetsAt(after, graph(after), TYPES, node(after, id));
  expect(shown.map((each) => [each.input.name, each.input.type, each.inner])).toEqual([["steps", "INT", null]]);
  expect(shown[0]?.input.options["max"]).toBe(10000);
  expect(codeOf(promote(after, ROOT, TYPES, id, "5", "steps"))).toBe("reason.already_wired");
  expect(invariants(after, TYPES)).toEqual([]);
});

test("unpacking writes the value that the instance held into the widget", () => {
  const { document, id } = packedSampler();
  let after = value(promote(document, ROOT, TYPES, id, "5", "seed"));
  after = setValue(after, ROOT, TYPES, id, "seed", 2n ** 63n);
  const { document: unpacked, selection } = value(unpack(after, ROOT, id));
  const sampler = [...selection.nodes].map((each) => node(unpacked, each)).find((each) => each.type === "KSampler");
  expect(sampler?.values["seed"]).toBe(2n ** 63n);
  expect(sampler?.inputs.some((slot) => slot.name === "seed")).toBe(false);
});

test("a demoted widget is inside again, with the value it had outside", () => {
  const { document, id, definition } = packedSampler();
  let after = value(promote(document, ROOT, TYPES, id, "5", "steps"));
  after = setValue(after, ROOT, TYPES, id, "steps", 33);
  after = value(demote(after, ROOT, id, null, "steps"));
  expect(node(after, "5", definition).values["steps"]).toBe(33);
  expect(node(after, "5", definition).inputs.some((slot) => slot.isWidget)).toBe(false);
  expect(node(after, id).values).toEqual({});
  expect(node(after, id).promoted).toEqual([]);
});

test("ports come, move, get labels and go, and every instance follows with its wires", () => {
  const { document, id, definition } = packedSampler();
  const [first, second] = graph(document, definition).inputs;
  let after = addPort(document, definition, "input", { name: first?.name ?? "", type: "INT" });
  expect(node(after, id).inputs.at(-1)).toMatchObject({ name: `${first?.name}_1`, type: "INT" });
  after = movePort(after, definition, "input", first?.id ?? "", 2);
  const moved = node(after, id).inputs.findIndex((slot) => slot.name === first?.name);
  expect(moved).toBe(2);
  expect(linkInto(graph(after), id, moved)?.type).toBe(first?.type);
  after = renamePort(after, definition, "input", second?.id ?? "", "words");
  expect(node(after, id).inputs.find((slot) => slot.name === second?.name)?.label).toBe("words");
  after = removePort(after, definition, "input", second?.id ?? "");
  expect(node(after, id).inputs.some((slot) => slot.name === second?.name)).toBe(false);
  expect(invariants(after, TYPES)).toEqual([]);
});

test("two instances share one definition until one is made unique", () => {
  const { document, id, definition } = packedSampler();
  expect(value(makeUnique(document, ROOT, id))).toBe(document);
  const two = value(addInstance(document, ROOT, definition, { x: 0, y: 0 }));
  const after = value(makeUnique(two.document, ROOT, two.id));
  const own = node(after, two.id).type;
  const changed = setValue(after, own, TYPES, "5", "steps", 3);
  expect(node(changed, "5", own).values["steps"]).toBe(3);
  expect(node(changed, "5", definition).values["steps"]).toBe(20);
});

test("with its last instance a definition goes, nested ones too", () => {
  const first = packedSampler();
  const second = value(pack(first.document, ROOT, { nodes: new Set([first.id, "6"]) }, "More"));
  const two = value(addInstance(second.document, ROOT, second.definition, { x: 0, y: 0 }));
  const one = removeSelection(two.document, ROOT, { nodes: new Set([two.id]) });
  expect(one.subgraphs.size).toBe(2);
  expect(removeSelection(one, ROOT, { nodes: new Set([second.id]) }).subgraphs.size).toBe(0);
});

test("what was muted as a whole is muted in its parts", () => {
  const { document, id } = packedSampler();
  const { document: after, selection } = value(unpack(setMode(document, ROOT, [id], 2), ROOT, id));
  expect([...selection.nodes].map((each) => node(after, each).mode)).toEqual([2, 2, 2]);
});

test("a port for anything becomes what it feeds first, and takes nothing else then", () => {
  const packed = value(
    pack(withNodes("Reroute", "KSampler", "VAEDecode"), ROOT, { nodes: new Set(["1", "2", "3"]) }, "x"),
  );
  const inside = packed.definition;
  const free = { node: INPUT_NODE, slot: 0 };
  let document = value(connect(packed.document, inside, TYPES, free, { node: "1", slot: 0 }));
  expect(graph(document, inside).inputs[0]?.type).toBe("*");
  document = value(connect(document, inside, TYPES, { node: "1", slot: 0 }, into(document, "2", "model", inside)));
  expect(graph(document, inside).inputs[0]?.type).toBe("MODEL");
  expect(node(document, packed.id).inputs[0]?.type).toBe("MODEL");
  expect(codeOf(connect(document, inside, TYPES, free, into(document, "3", "vae", inside)))).toBe(
    "reason.type_mismatch",
  );
});

test("what stands alone gets a port for each free end, and shows its values", () => {
  const { document, id, definition } = value(
    pack(withNodes("KSampler", "VAEDecode"), ROOT, { nodes: new Set(["1"]) }, "Sample"),
  );
  const inside = graph(document, definition);
  expect(inside.inputs.map((port) => port.name)).toEqual(["model", "positive", "negative", "latent_image"]);
  expect(inside.outputs.map((port) => port.type)).toEqual(["LATENT"]);
  const instance = node(document, id);
  expect(instance.inputs.map((slot) => slot.type)).toEqual(["MODEL", "CONDITIONING", "CONDITIONING", "LATENT"]);
  const shown = widgetsAt(document, graph(document), TYPES, instance).map(({ input }) => input.name);
  expect(shown).toContain("seed");
  expect(shown).toContain("cfg");
  expect(invariants(document, TYPES)).toEqual([]);
});

test("the cards with the ports stand beside what is inside, however large it is drawn", () => {
  const sizes = new Map([["5", { width: 900, height: 1200 }]]);
  const packed = value(pack(textToImage(), ROOT, { nodes: new Set(["2", "3", "5"]) }, "Sample", sizes));
  const { inputAt, outputAt, nodes } = graph(packed.document, packed.definition);
  const inner = [...nodes.values()];
  const left = Math.min(...inner.map((each) => each.x));
  const right = Math.max(...inner.map((each) => each.x + (sizes.get(each.id) ?? each).width));
  expect(inputAt.x + 140).toBeLessThan(left);
  expect(outputAt.x).toBeGreaterThan(right);
});
