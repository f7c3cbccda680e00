/** A plugin's author writes a node type anew while a workflow with its nodes is open. */

import { describe, expect, it } from "vitest";

import { type Document, INPUT_NODE, type Node, ROOT } from "@/graph/document";
import { newNode } from "@/graph/create";
import { connect } from "@/graph/edits/links";
import { convertToInput } from "@/graph/edits/values";
import { changedTypes, followTypes } from "@/graph/edits/follow_types";
import type { NodeTypes } from "@/graph/node_type";
import { readObjectInfo } from "@/graph/object_info";
import type { Value } from "@/graph/value";

import { withNodes } from "./build";

type Inputs = Readonly<Record<string, Value>>;

function typesWith(blur: Inputs, outputs: readonly string[] = ["IMAGE"]): NodeTypes {
  return readObjectInfo({
    Source: { input: { required: {} }, output: ["IMAGE", "MASK"], output_name: ["image", "mask"] },
    Blur: { input: { required: blur }, output: outputs, output_name: outputs.map((each) => each.toLowerCase()) },
    End: { input: { required: { image: ["IMAGE"] } }, output: [], output_name: [], output_node: true },
  });
}

const OLD = typesWith({ image: ["IMAGE"], radius: ["INT", { default: 3 }], mode: [["box", "gauss"]] });

function wired(types: NodeTypes): Document {
  let document = withNodes();
  const nodes = new Map(
    ["Source", "Blur", "End"].map((type, i) => [`${i + 1}`, newNode(types, type, `${i + 1}`, { x: 0, y: 0 })]),
  );
  document = { ...document, root: { ...document.root, nodes, lastNode: 3 } };
  for (const [from, to] of [
    ["1", "2"],
    ["2", "3"],
  ] as const) {
    const made = connect(document, ROOT, types, { node: from, slot: 0 }, { node: to, slot: 0 });
    if (!made.ok) throw new Error(made.reason.code);
    document = made.value;
  }
  return document;
}

function blur(document: Document): Node {
  const node = document.root.nodes.get("2");
  if (node === undefined) throw new Error("the node is gone");
  return node;
}

function ends(document: Document): string[] {
  return [...document.root.links.values()].map(
    (each) => `${each.origin}.${each.originSlot}>${each.target}.${each.targetSlot}`,
  );
}

describe("nodes follow their types", () => {
  const document = wired(OLD);

  it("not at all where only lists, ranges and defaults changed", () => {
    const same = typesWith({ image: ["IMAGE"], radius: ["INT", { default: 9, max: 40 }], mode: [["box", "new"]] });
    expect(changedTypes(OLD, same).size).toBe(0);
    expect(followTypes(document, OLD, same)).toBe(document);
  });

  it("with new widgets at their defaults, new sockets, and everything else as it was", () => {
    const grown = typesWith({
      mask: ["MASK"],
      image: ["IMAGE"],
      radius: ["INT", { default: 9 }],
      seed: ["INT", { default: 5 }],
    });
    const set = {
      ...document,
      root: {
        ...document.root,
        nodes: new Map(document.root.nodes).set("2", { ...blur(document), values: { radius: 7, mode: "gauss" } }),
      },
    };
    const after = followTypes(set, OLD, grown);
    expect(blur(after).values).toEqual({ radius: 7, mode: "gauss", seed: 5 });
    expect(blur(after).controls).toEqual({ seed: "randomize" });
    expect(blur(after).inputs.map((slot) => slot.name)).toEqual(["mask", "image"]);
    expect(ends(after)).toEqual(["1.0>2.1", "2.0>3.0"]);
  });

  it("without the wires of what is gone, and with their values when it comes back", () => {
    const less = typesWith({ radius: ["INT", { default: 9 }] });
    const after = followTypes(document, OLD, less);
    expect(blur(after).inputs).toEqual([]);
    expect(ends(after)).toEqual(["2.0>3.0"]);
    expect(blur(after).values).toEqual({ radius: 3, mode: "box" });
    const back = followTypes(after, less, OLD);
    expect(blur(back).values).toEqual({ radius: 3, mode: "box" });
    expect(blur(back).inputs.map((slot) => slot.name)).toEqual(["image"]);
  });

  it("with wires at the outputs of the same names", () => {
    const more = typesWith({ image: ["IMAGE"] }, ["MASK", "IMAGE"]);
    expect(ends(followTypes(document, OLD, more))).toEqual(["1.0>2.0", "2.1>3.0"]);
    expect(ends(followTypes(document, OLD, typesWith({ image: ["IMAGE"] }, ["MASK"])))).toEqual(["1.0>2.0"]);
  });

  it("with widgets that were made inputs", () => {
    const made = convertToInput(document, ROOT, OLD, "2", "radius");
    if (!made.ok) throw new Error(made.reason.code);
    const after = followTypes(made.value, OLD, typesWith({ image: ["IMAGE"], radius: ["FLOAT"] }));
    expect(blur(after).inputs.map(({ name, type, isWidget }) => [name, type, isWidget])).toEqual([
      ["image", "IMAGE", false],
      ["radius", "FLOAT", true],
    ]);
  });

  it("also inside sub-graphs", () => {
    const inside = { ...document.root, id: "inner", inputs: [], outputs: [] };
    const held: Document = { ...document, subgraphs: new Map([["inner", inside]]) };
    const after = followTypes(held, OLD, typesWith({}, []));
    const inner = after.subgraphs.get("inner");
    expect(inner?.nodes.get("2")?.outputs).toEqual([]);
    expect([...(inner?.links.values() ?? [])].filter((each) => each.origin !== INPUT_NODE)).toEqual([]);
  });
});
