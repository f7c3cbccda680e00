import { describe, expect, test } from "vitest";

import { MARKDOWN_NOTE, type Node, NOTE, REROUTE, TITLE_HEIGHT } from "@/graph/document";
import {
  around,
  layoutOf,
  layoutOfPorts,
  type NodeContent,
  overlaps,
  readingOrder,
  rectOf,
  SOCKET_ROW,
  WIDGET_ROW,
} from "@/graph/geometry";
import type { InputType } from "@/graph/node_type";

const NODE: Node = {
  id: "1",
  type: "KSampler",
  title: null,
  x: 100,
  y: 200,
  width: 300,
  height: 0,
  mode: 0,
  isCollapsed: false,
  color: null,
  background: null,
  inputs: [],
  outputs: [],
  values: {},
  controls: {},
  raw: null,
  promoted: null,
  rest: {},
};

function input(name: string, options: InputType["options"] = {}): InputType {
  return { name, type: "STRING", required: true, choices: null, options };
}

function slot(name: string, isWidget = false) {
  return { name, type: "MODEL", label: null, isWidget, rest: {} };
}

function content(widgets: readonly InputType[], more: Partial<NodeContent> = {}): NodeContent {
  return {
    widgets: widgets.map((each) => ({ input: each, inner: null })),
    hasPictures: false,
    hasTexts: false,
    ...more,
  };
}

const OUTPUT = { name: "o", type: "LATENT", label: null, rest: {} };

describe("the layout of a node", () => {
  test("sockets stand in rows of one height, inputs and outputs beside each other", () => {
    const layout = layoutOf({ ...NODE, inputs: [slot("a"), slot("b")], outputs: [OUTPUT] }, content([]));
    expect(layout.inputs[1]).toBe((layout.inputs[0] ?? 0) + SOCKET_ROW);
    expect(layout.outputs[0]).toBe(layout.inputs[0]);
    expect(layout.inputs[0]).toBeGreaterThan(TITLE_HEIGHT);
  });

  test("widgets follow the longer side of the sockets, each below the other", () => {
    const node = { ...NODE, inputs: [slot("a")], outputs: [OUTPUT, OUTPUT, OUTPUT] };
    const { widgets, outputs } = layoutOf(node, content([input("x"), input("y")]));
    expect(widgets[0]?.y).toBeGreaterThanOrEqual((outputs[2] ?? 0) + SOCKET_ROW / 2);
    expect(widgets[1]?.y).toBe((widgets[0]?.y ?? 0) + WIDGET_ROW);
  });

  test("the socket of a widget stands at the widget and takes no row of its own", () => {
    const node = { ...NODE, inputs: [slot("x", true), slot("a")] };
    const layout = layoutOf(node, content([input("x")]));
    const [strip] = layout.widgets;
    expect(layout.rows).toEqual([1]);
    expect(strip?.slot).toBe(0);
    expect(layout.inputs[0]).toBeGreaterThan(strip?.y ?? Infinity);
    expect(layout.inputs[0]).toBeLessThan((strip?.y ?? 0) + (strip?.height ?? 0));
  });

  test("a node is as high as its file says, or as its content needs", () => {
    expect(layoutOf({ ...NODE, height: 500 }, content([input("x")])).height).toBe(TITLE_HEIGHT + 500);
    const small = layoutOf(NODE, content([input("x"), input("y")]));
    const last = small.widgets.at(-1);
    expect(small.height).toBeGreaterThanOrEqual((last?.y ?? 0) + (last?.height ?? 0));
  });

  test("texts of many lines share what height is left", () => {
    const texts = [input("p", { multiline: true }), input("q", { multiline: true }), input("z")];
    const layout = layoutOf({ ...NODE, height: 600 }, content(texts));
    const [p, q, z] = layout.widgets;
    expect(p?.height).toBe(q?.height);
    expect(p?.height).toBeGreaterThan(200);
    expect(z?.height).toBe(WIDGET_ROW);
    expect((z?.y ?? 0) + (z?.height ?? 0)).toBeLessThanOrEqual(layout.height);
  });

  test("pictures get what is left, or make the node higher", () => {
    const high = layoutOf({ ...NODE, height: 600 }, content([input("x")], { hasPictures: true }));
    expect(high.height).toBe(TITLE_HEIGHT + 600);
    expect((high.media?.y ?? 0) + (high.media?.height ?? 0)).toBeLessThanOrEqual(high.height);
    const low = layoutOf({ ...NODE, height: 40 }, content([input("x")], { hasPictures: true }));
    expect(low.media?.height).toBeGreaterThanOrEqual(96);
    expect(low.height).toBeGreaterThan((low.media?.y ?? 0) + (low.media?.height ?? 0));
  });

  test("a collapsed node is its title, with every socket in its middle", () => {
    const node = { ...NODE, isCollapsed: true, height: 400, inputs: [slot("a"), slot("b")], outputs: [OUTPUT] };
    const layout = layoutOf(node, content([input("x")]));
    expect(layout.height).toBe(TITLE_HEIGHT);
    expect(layout.inputs).toEqual([15, 15]);
    expect(layout.widgets).toEqual([]);
  });

  test("a reroute has no title bar", () => {
    const node = { ...NODE, type: REROUTE, width: 75, inputs: [slot("")], outputs: [OUTPUT] };
    const layout = layoutOf(node, content([]));
    expect(rectOf(node, layout)).toEqual({ x: 100, y: 200, width: 75, height: 26 });
    expect(layout.inputs).toEqual(layout.outputs);
  });

  test.each([NOTE, MARKDOWN_NOTE])("a %s gives its text all its height", (type) => {
    const layout = layoutOf({ ...NODE, type, height: 300 }, content([input("value", { multiline: true })]));
    expect(layout.widgets[0]?.height).toBeGreaterThan(270);
  });

  test("a node stands with its title bar above its place in the file", () => {
    const layout = layoutOf(NODE, content([]));
    expect(rectOf(NODE, layout).y).toBe(200 - TITLE_HEIGHT);
  });

  test("the boundary of a sub-graph has one free place more than it has ports", () => {
    const port = { id: "p", name: "x", type: "INT", label: null, rest: {} };
    expect(layoutOfPorts("-10", [port, port]).outputs).toHaveLength(3);
    expect(layoutOfPorts("-20", [port]).inputs).toHaveLength(2);
  });
});

function at(x: number, y: number, width = 100, height = 60) {
  return { x, y, width, height };
}

describe("rectangles", () => {
  test("the one around others holds all of them; there is none around nothing", () => {
    expect(around([at(0, 0), at(-50, 200)])).toEqual({ x: -50, y: 0, width: 150, height: 260 });
    expect(around([])).toBeNull();
  });

  test("those that only touch do not overlap", () => {
    expect(overlaps(at(0, 0), at(100, 0))).toBe(false);
    expect(overlaps(at(0, 0), at(99, 59))).toBe(true);
  });

  test("are read line by line, also when a line is not quite straight", () => {
    const rects = [at(400, 12), at(0, 300), at(0, 0), at(200, -9), at(300, 290)];
    expect(readingOrder(rects).map((each) => rects.indexOf(each))).toEqual([2, 3, 0, 1, 4]);
  });
});
