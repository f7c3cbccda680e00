import { describe, expect, test } from "vitest";

import { ALWAYS, emptyDocument, type Document, type Node, NOTHING_SELECTED, type Selection } from "@/graph/document";
import { newNode } from "@/graph/create";
import { connect } from "@/graph/edits/links";
import { addNode } from "@/graph/edits/nodes";
import type { NodeType, NodeTypes } from "@/graph/node_type";
import { endsOf, flowEdges } from "@/view/flow_edges";
import { flowNodes, type Scene } from "@/view/flow_nodes";
import { labelOf } from "@/view/node_label";
import { madeIn } from "@/view/scene";
import { fitOf } from "@/view/Socket";
import { typeColor } from "@/view/type_color";
import { detailAt } from "@/view/use_view";
import { fitting } from "@/view/WireList";
import { IDLE } from "@/state/run";

function type(id: string, inputs: Record<string, string>, outputs: readonly string[]): NodeType {
  return {
    id,
    displayName: id,
    category: "",
    description: "",
    module: "nodes",
    inputs: Object.entries(inputs).map(([name, type]) => ({ name, type, required: true, choices: null, options: {} })),
    outputs: outputs.map((type) => ({ name: type, type, isList: false, tooltip: "" })),
    isOutput: false,
    isDeprecated: false,
    isExperimental: false,
    searchAliases: [],
  };
}

const TYPES: NodeTypes = new Map([
  ["Load", type("Load", { file: "STRING" }, ["MODEL", "CLIP"])],
  ["Sample", type("Sample", { model: "MODEL", steps: "INT" }, ["LATENT"])],
  ["Count", type("Count", {}, ["INT"])],
]);

function workflow(): Document {
  let document = emptyDocument("d");
  for (const [i, id] of ["Load", "Sample", "Count"].entries()) {
    document = addNode(document, "", TYPES, id, { x: 400 * i, y: 0 }).document;
  }
  const wired = connect(document, "", TYPES, { node: "1", slot: 0 }, { node: "2", slot: 0 });
  if (!wired.ok) throw new Error(wired.reason.code);
  return wired.value;
}

function sceneOf(document: Document): Scene {
  return { document, graph: document.root, types: TYPES, made: new Map() };
}

const ALONE: Selection = { ...NOTHING_SELECTED, nodes: new Set(["2"]) };

describe("flow nodes", () => {
  test("are the same objects as long as the nodes are, so that nothing is drawn anew", () => {
    const scene = sceneOf(workflow());
    const before = flowNodes(scene, NOTHING_SELECTED, null, new Set());
    const after = flowNodes({ ...scene }, NOTHING_SELECTED, null, new Set());
    expect(after.map((each, i) => each === before[i])).toEqual([true, true, true]);
  });

  test("change only where the selection does, and keep the data even there", () => {
    const scene = sceneOf(workflow());
    const before = flowNodes(scene, NOTHING_SELECTED, null, new Set());
    const after = flowNodes(scene, ALONE, null, new Set());
    expect(after.map((each, i) => each === before[i])).toEqual([true, false, true]);
    expect(after[1]?.data).toBe(before[1]?.data);
  });

  test("have a handle for each socket and for each widget without one", () => {
    const [load, sample] = flowNodes(sceneOf(workflow()), NOTHING_SELECTED, null, new Set());
    expect(load?.handles?.map((each) => each.id)).toEqual(["widget:file", "out:0", "out:1"]);
    expect(sample?.handles?.map((each) => each.id)).toEqual(["in:0", "widget:steps", "out:0"]);
  });

  test("are hidden where the far view draws them", () => {
    const shown = flowNodes(sceneOf(workflow()), NOTHING_SELECTED, (id) => id === "2", new Set());
    expect(shown.map((each) => each.hidden)).toEqual([true, false, true]);
  });

  test("a node whose picture arrives becomes higher", () => {
    const scene = sceneOf(workflow());
    const before = flowNodes(scene, NOTHING_SELECTED, null, new Set())[1]?.measured?.height ?? 0;
    const made = flowNodes({ ...scene, made: new Map([["2", "p"]]) }, NOTHING_SELECTED, null, new Set());
    expect(made[1]?.measured?.height).toBeGreaterThan(before);
  });
});

describe("wires", () => {
  test("name their sockets by handles that lead back to the same ends", () => {
    const [wire] = flowEdges(workflow().root, new Set());
    expect(wire).toMatchObject({ source: "1", sourceHandle: "out:0", target: "2", targetHandle: "in:0" });
    expect(wire && endsOf(wire)).toEqual({ from: { node: "1", slot: 0 }, to: { node: "2", slot: 0 } });
  });

  test("to slots that are not there are not drawn", () => {
    const { root } = workflow();
    const [link] = root.links.values();
    const broken = new Map(link === undefined ? [] : [[link.id, { ...link, targetSlot: 9 }]]);
    expect(flowEdges({ ...root, links: broken }, new Set())).toEqual([]);
  });

  test("from output to output are none", () => {
    expect(endsOf({ source: "1", sourceHandle: "out:0", target: "2", targetHandle: "out:0" })).toBeNull();
  });

  test("light up sockets that fit, and dim the others", () => {
    const wiring = { kind: "output", end: { node: "1", slot: 0 }, type: "MODEL" } as const;
    expect(fitOf(wiring, "2", "input", "MODEL")).toBe("fits");
    expect(fitOf(wiring, "2", "input", "INT")).toBe("refuses");
    expect(fitOf(wiring, "2", "output", "MODEL")).toBe("refuses");
    expect(fitOf(null, "2", "input", "MODEL")).toBeNull();
  });

  test("by keyboard are offered what fits and nothing else, widgets too", () => {
    const offered = fitting(sceneOf(workflow()), { kind: "output", end: { node: "3", slot: 0 }, type: "INT" });
    expect(offered.map((each) => each.key)).toEqual(["2 widget:steps"]);
  });

  test("of a type nobody has a colour for have the colour of anything", () => {
    expect(typeColor("MODEL")).toBe("var(--type-MODEL)");
    expect(typeColor("x); color: red")).toBe("var(--type-any)");
    expect(typeColor("INT,FLOAT")).toBe("var(--type-INT)");
  });
});

describe("what is said of a node", () => {
  test("names its inputs, what is not wired, and what it does", () => {
    const node: Node = { ...newNode(TYPES, "Sample", "2", { x: 0, y: 0 }), mode: ALWAYS };
    const run = { ...IDLE, state: "running" as const, value: 3, max: 10 };
    expect(labelOf("KSampler", node, 0, run, [])).toBe("KSampler, 1 input, 1 unconnected, running 30 %");
    expect(labelOf("KSampler", node, 1, IDLE, ["No."])).toBe("KSampler, 1 input, No.");
  });

  test("what it made is found by its execution id, inside sub-graphs too", () => {
    const picture = { filename: "a.png", subfolder: "", type: "output" } as const;
    const drawn = { ...IDLE, output: { pictures: [picture], texts: [], isAnimated: false } };
    const runs = new Map([
      ["2", drawn],
      ["9:1", drawn],
      ["9:1:3", drawn],
    ]);
    expect([...madeIn(runs, [], workflow().root)]).toEqual([["2", "p"]]);
    expect([...madeIn(runs, ["9"], workflow().root)]).toEqual([["1", "p"]]);
  });
});

test("only large graphs become a picture, and only from far away", () => {
  expect(detailAt(1, 2000)).toBe("full");
  expect(detailAt(0.32, 2000)).toBe("plain");
  expect(detailAt(0.1, 2000)).toBe("far");
  expect(detailAt(0.1, 20)).toBe("plain");
});
