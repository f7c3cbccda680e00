/** Groups, alignment, distribution, layout, and the small edits of nodes. */

import { expect, test } from "vitest";

import { type Document, ROOT, TITLE_HEIGHT } from "@/graph/document";
import { align, distribute } from "@/graph/edits/align";
import { arrange } from "@/graph/edits/arrange";
import { copy, duplicate, paste } from "@/graph/edits/clipboard";
import { addGroup, moveGroup, setGroup } from "@/graph/edits/groups";
import { addNode, moveTo, raise, removeSelection, resize, setMode, setTitle } from "@/graph/edits/nodes";
import { pack } from "@/graph/edits/subgraphs";
import { invariants } from "@/graph/invariants";

import { codeOf, graph, node, textToImage, value, withNodes } from "./build";
import { TYPES } from "./node_types";

const SIZES = new Map(["1", "2", "3"].map((id, i) => [id, { width: 100 + 20 * i, height: 50 + 10 * i }]));

function three(): Document {
  const places = new Map([
    ["1", { x: 0, y: 40 }],
    ["2", { x: 150, y: 0 }],
    ["3", { x: 600, y: 100 }],
  ]);
  return moveTo(withNodes("Note", "Note", "Note"), ROOT, places);
}

function xs(document: Document): readonly number[] {
  return ["1", "2", "3"].map((id) => node(document, id).x);
}

function ys(document: Document): readonly number[] {
  return ["1", "2", "3"].map((id) => node(document, id).y);
}

test("edges and middles are brought on one line", () => {
  const ids = ["1", "2", "3"];
  expect(xs(align(three(), ROOT, ids, "left", SIZES))).toEqual([0, 0, 0]);
  expect(xs(align(three(), ROOT, ids, "right", SIZES))).toEqual([640, 620, 600]);
  expect(ys(align(three(), ROOT, ids, "top", SIZES))).toEqual([0, 0, 0]);
  expect(ys(align(three(), ROOT, ids, "bottom", SIZES))).toEqual([120, 110, 100]);
  expect(xs(align(three(), ROOT, ids, "centerX", SIZES))).toEqual([320, 310, 300]);
});

test("the gaps between nodes become equal, the outermost stay", () => {
  const document = distribute(three(), ROOT, ["1", "2", "3"], "horizontal", SIZES);
  expect(["1", "2", "3"].map((id) => node(document, id).x)).toEqual([0, 290, 600]);
});

test("a group frames its nodes and takes them along, and groups in it", () => {
  const inner = addGroup(three(), ROOT, ["1"], "inner");
  const outer = addGroup(inner.document, ROOT, ["1", "2"], "outer");
  const box = graph(outer.document).groups.get(outer.id);
  expect(box && box.y < -TITLE_HEIGHT && box.x < 0 && box.x + box.width > 150).toBe(true);
  const moved = moveGroup(outer.document, ROOT, outer.id, 10, 20);
  expect(node(moved, "1")).toMatchObject({ x: 10, y: 60 });
  expect(node(moved, "3")).toMatchObject({ x: 600, y: 100 });
  const before = graph(outer.document).groups.get(inner.id);
  expect(graph(moved).groups.get(inner.id)?.x).toBe((before?.x ?? 0) + 10);
  const gone = removeSelection(moved, ROOT, { groups: new Set([outer.id]) });
  expect([graph(gone).groups.size, graph(gone).nodes.size]).toEqual([1, 3]);
});

test("what is not finite is refused", () => {
  const { document, id } = addGroup(three(), ROOT, ["1"], "g");
  expect(setGroup(document, ROOT, id, { width: Number.NaN })).toBe(document);
  expect(moveTo(document, ROOT, new Map([["1", { x: Infinity, y: 0 }]]))).toBe(document);
  expect(resize(document, ROOT, "1", { width: Number.NaN, height: 1 })).toBe(document);
});

test("an edit that changes nothing gives the same document", () => {
  const document = textToImage();
  expect(moveTo(document, ROOT, new Map([["1", { x: 0, y: 0 }]]))).toBe(document);
  expect(setMode(document, ROOT, ["1"], 0)).toBe(document);
  expect(setTitle(document, ROOT, "nobody", "x")).toBe(document);
  expect(removeSelection(document, ROOT, { nodes: new Set(["99"]) })).toBe(document);
  expect(raise(document, ROOT, ["7"])).toBe(document);
});

test("an edit leaves what it does not touch as it was, to the very object", () => {
  const document = textToImage();
  const after = setTitle(document, ROOT, "5", "Painter");
  expect(node(after, "1")).toBe(node(document, "1"));
  expect(graph(after).links).toBe(graph(document).links);
});

test("copies have new ids, the wires between them, and on wish those that came in", () => {
  const document = textToImage();
  const selection = { nodes: new Set(["5", "6"]) };
  const loose = value(duplicate(document, ROOT, selection));
  const wired = value(duplicate(document, ROOT, selection, { keepLinks: true }));
  expect([...loose.selection.nodes]).toEqual(["8", "9"]);
  expect(graph(loose.document).links.size).toBe(graph(document).links.size + 1);
  expect(graph(wired.document).links.size).toBe(graph(document).links.size + 6);
  expect(node(wired.document, "8").values).toEqual(node(document, "5").values);
  expect(invariants(wired.document, TYPES)).toEqual([]);
});

test("a clip is put down with its corner at the place", () => {
  const document = three();
  const pasted = value(
    paste(document, ROOT, copy(document, ROOT, { nodes: new Set(["2", "3"]) }), { x: 1000, y: 500 }),
  );
  expect(node(pasted.document, "4")).toMatchObject({ x: 1000, y: 500 + TITLE_HEIGHT });
  expect(node(pasted.document, "5")).toMatchObject({ x: 1450, y: 600 + TITLE_HEIGHT });
});

test("a sub-graph comes along into another document, and never into itself", () => {
  const packed = value(pack(textToImage(), ROOT, { nodes: new Set(["5"]) }, "Sample"));
  const clip = copy(packed.document, ROOT, { nodes: new Set([packed.id]) });
  const other = { ...withNodes(), id: "other" };
  const pasted = value(paste(other, ROOT, clip, null));
  expect(pasted.document.subgraphs.get(packed.definition)).toBe(packed.document.subgraphs.get(packed.definition));
  expect(codeOf(paste(packed.document, packed.definition, clip, null))).toBe("reason.contains_itself");
  expect(value(paste(packed.document, ROOT, clip, null)).document.subgraphs.size).toBe(1);
});

test("a sub-graph that was changed elsewhere does not overwrite the one that is here", () => {
  const packed = value(pack(textToImage(), ROOT, { nodes: new Set(["5"]) }, "Sample"));
  const elsewhere = { ...setTitle(packed.document, packed.definition, "5", "Changed"), id: "elsewhere" };
  const clip = copy(elsewhere, ROOT, { nodes: new Set([packed.id]) });
  const { document, selection } = value(paste(packed.document, ROOT, clip, null));
  const [id] = selection.nodes;
  const own = node(document, id ?? "").type;
  expect(document.subgraphs.size).toBe(2);
  expect(node(document, "5", own).title).toBe("Changed");
  expect(node(document, "5", packed.definition).title).not.toBe("Changed");
});

test("the layout goes from left to right, without overlaps, and keeps its corner", async () => {
  const document = textToImage();
  const at = new Map([...graph(document).nodes.keys()].map((id) => [id, { x: 70, y: 90 }]));
  const heap = moveTo(document, ROOT, at);
  const places = await arrange(heap, ROOT, "all");
  const after = moveTo(heap, ROOT, places);
  for (const link of graph(after).links.values()) {
    const [from, to] = [node(after, link.origin), node(after, link.target)];
    expect(to.x).toBeGreaterThanOrEqual(from.x + from.width);
  }
  const all = [...graph(after).nodes.values()];
  for (const one of all) {
    for (const other of all) {
      if (one === other) continue;
      const apart =
        one.x + one.width <= other.x ||
        other.x + other.width <= one.x ||
        one.y + one.height <= other.y - TITLE_HEIGHT ||
        other.y + other.height <= one.y - TITLE_HEIGHT;
      expect(apart, `${one.title} and ${other.title}`).toBe(true);
    }
  }
  expect(Math.min(...all.map((each) => each.x))).toBe(70);
  expect(Math.min(...all.map((each) => each.y))).toBe(90);
});

test("a chain of nodes stands in one line, though another wire runs past it", async () => {
  const document = textToImage();
  const sockets = new Map(
    [...graph(document).nodes.values()].map((each) => [
      each.id,
      {
        width: each.width,
        height: each.height,
        inputs: each.inputs.map((_, i) => 48 + 24 * i),
        outputs: each.outputs.map((_, i) => 48 + 24 * i),
      },
    ]),
  );
  const places = await arrange(document, ROOT, "all", sockets);
  const [sampler, decoder, saver] = ["5", "6", "7"].map((id) => places.get(id)?.y);
  expect(decoder).toBe(sampler);
  expect(saver).toBe(decoder);
});

test("only what is chosen is laid out", async () => {
  const document = addNode(textToImage(), ROOT, TYPES, "Note", { x: 5, y: 5 }).document;
  expect([...(await arrange(document, ROOT, ["5", "6"])).keys()].toSorted()).toEqual(["5", "6"]);
  expect((await arrange(document, ROOT, [])).size).toBe(0);
});
