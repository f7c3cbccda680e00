import { beforeEach, describe, expect, it } from "vitest";

import { newNode } from "@/graph/create";
import { emptyDocument } from "@/graph/document";
import { inGraph, withNode } from "@/graph/edits/graph_change";
import { readObjectInfo } from "@/graph/object_info";
import {
  closeMaskEditor,
  loadMasked,
  maskTarget,
  openMaskEditor,
  pictureOf,
  useMaskEditing,
} from "@/state/mask_editing";
import { useNodeTypes } from "@/state/node_types";
import { activeTab, openTab, undo, useWorkbench } from "@/state/workbench";

const TYPES = readObjectInfo({
  LoadImage: {
    input: { required: { image: [["a.png"], { image_upload: true }] } },
    output: ["IMAGE", "MASK"],
    output_is_list: [false, false],
    output_name: ["IMAGE", "MASK"],
    name: "LoadImage",
    display_name: "Load Image",
    category: "image",
  },
});

function tab() {
  const found = activeTab();
  if (found === null) throw new Error("no tab");
  return found;
}

function valueOf(node: string): unknown {
  return tab().history.present.root.nodes.get(node)?.values["image"];
}

beforeEach(() => {
  useWorkbench.setState({ tabs: [], active: null });
  useNodeTypes.setState({ types: TYPES });
  closeMaskEditor();
  const document = inGraph(emptyDocument("d"), "", (graph) => {
    const loader = newNode(TYPES, "LoadImage", "1", { x: 0, y: 0 });
    const note = newNode(TYPES, "Note", "2", { x: 0, y: 0 });
    return withNode(withNode(graph, { ...loader, values: { image: "a.png" } }), note);
  });
  openTab(document, "t");
});

describe("what the mask editor works on", () => {
  it("is the picture of a node that takes uploads, and of no other", () => {
    const target = maskTarget(tab(), "1");
    expect(target).toEqual({ documentId: "d", path: [], node: "1", input: "image" });
    expect(maskTarget(tab(), "2")).toBeNull();
    expect(maskTarget(tab(), "3")).toBeNull();
    if (target === null) return;
    expect(pictureOf(target)).toEqual({ filename: "a.png", subfolder: "", type: "input" });
    openMaskEditor(target);
    expect(useMaskEditing.getState().target).toBe(target);
  });

  it("loads the masked picture as one edit that can be undone", () => {
    const target = { documentId: "d", path: [], node: "1", input: "image" };
    expect(loadMasked(target, { filename: "m.png", subfolder: "clipspace", type: "input" })).toBe(true);
    expect(valueOf("1")).toBe("clipspace/m.png [input]");
    expect(tab().history.past.map((each) => each.edit)).toEqual(["edit.mask"]);
    undo();
    expect(valueOf("1")).toBe("a.png");
  });

  it("changes nothing when the node, its picture or its workflow is gone", () => {
    const picture = { filename: "m.png", subfolder: "clipspace", type: "input" } as const;
    const before = tab().history;
    for (const gone of [
      { documentId: "d", path: [], node: "9", input: "image" },
      { documentId: "d", path: ["7"], node: "1", input: "image" },
      { documentId: "other", path: [], node: "1", input: "image" },
    ]) {
      expect(loadMasked(gone, picture)).toBe(false);
      openMaskEditor(gone);
    }
    expect(tab().history).toBe(before);
    expect(useMaskEditing.getState().target).toBeNull();
  });
});
