import { expect, it } from "vitest";

import { type Document, emptyDocument, type Node } from "@/graph/document";
import { carryValues } from "@/state/carry_values";

function node(values: Node["values"]): Node {
  const place = { x: 0, y: 0, width: 100, height: 50, mode: 0, isCollapsed: false, color: null, background: null };
  const more = { title: null, inputs: [], outputs: [], controls: {}, raw: null, promoted: null, rest: {} };
  return { id: "3", type: "KSampler", values, ...place, ...more };
}

function withNode(values: Node["values"]): Document {
  const document = emptyDocument("d");
  return { ...document, root: { ...document.root, nodes: new Map([["3", node(values)]]) } };
}

function valuesOf(document: Document): Node["values"] | undefined {
  return document.root.nodes.get("3")?.values;
}

const [before, after] = [withNode({ seed: 1n, steps: 20 }), withNode({ seed: 2n ** 63n, steps: 20 })];

it("is the later document when nothing was edited meanwhile", () => {
  expect(carryValues(before, before, after)).toBe(after);
});

it("takes the new seed into a document that was edited elsewhere", () => {
  const edited = withNode({ seed: 1n, steps: 30 });
  expect(valuesOf(carryValues(edited, before, after))).toEqual({ seed: 2n ** 63n, steps: 30 });
});

it("leaves a seed that somebody has set meanwhile", () => {
  const edited = withNode({ seed: 5, steps: 20 });
  expect(carryValues(edited, before, after)).toBe(edited);
});

it("leaves a document alone whose node is gone", () => {
  const edited = emptyDocument("d");
  expect(carryValues(edited, before, after)).toBe(edited);
});
