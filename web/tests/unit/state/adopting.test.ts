import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";

import { type Node, ROOT } from "@/graph/document";
import { copy, paste } from "@/graph/edits/clipboard";
import { setValue } from "@/graph/edits/values";
import { nodeTypes, useNodeTypes } from "@/state/node_types";
import { openContent } from "@/state/opening";
import { activeTab, adoptTypes, edit, redo, type Tab, undo, updateTab, useWorkbench } from "@/state/workbench";

import { coreObjectInfo, typesOf } from "../format/server";

const FILE = readFileSync(new URL("../../../../workflows/text_to_image.editor.json", import.meta.url), "utf8");
const SAMPLER = "3";
const TYPES = typesOf(coreObjectInfo());

function tab(): Tab {
  const found = activeTab();
  if (found === null) throw new Error("no tab");
  return found;
}

function node(id: string): Node | undefined {
  return tab().history.present.root.nodes.get(id);
}

function typesCome(): void {
  useNodeTypes.setState({ types: TYPES, status: "ready", message: "" });
  adoptTypes();
}

function rename(name: string): void {
  edit("edit.rename", (document) => ({ ...document, root: { ...document.root, name } }));
}

function setCfg(id: string, cfg: number): void {
  edit("edit.value", (document) => setValue(document, ROOT, nodeTypes(), id, "cfg", cfg));
}

beforeEach(() => {
  useWorkbench.setState({ tabs: [], active: null });
  useNodeTypes.setState({ types: new Map(), status: "waiting", message: "" });
  openContent(FILE, "apple.json");
});

/** What the file says, read by nothing of ours. */
const IN_FILE = (JSON.parse(FILE) as { nodes: { id: number; widgets_values: unknown[] }[] }).nodes.find(
  (each) => String(each.id) === SAMPLER,
)?.widgets_values;

describe("values read before the node types are known", () => {
  it("get their names when the types come", () => {
    expect([node(SAMPLER)?.raw, node(SAMPLER)?.values]).toEqual([IN_FILE, {}]);
    typesCome();
    expect(node(SAMPLER)?.raw).toBeNull();
    expect(Object.values(node(SAMPLER)?.values ?? {})).toHaveLength((IN_FILE?.length ?? 0) - 1);
    for (const value of Object.values(node(SAMPLER)?.values ?? {}))
      expect(IN_FILE?.map(String)).toContain(String(value));
  });

  it("get their names too where undo and redo bring them back", () => {
    edit("edit.delete", (document) => ({ ...document, root: { ...document.root, nodes: new Map() } }));
    undo();
    rename("after");
    undo();
    typesCome();
    const { values } = node(SAMPLER) ?? {};
    redo();
    expect([node(SAMPLER)?.raw, node(SAMPLER)?.values]).toEqual([null, values]);
  });

  it("survive an edit of a node that undo brought back", () => {
    edit("edit.delete", (document) => ({ ...document, root: { ...document.root, nodes: new Map() } }));
    typesCome();
    undo();
    setCfg(SAMPLER, 9);
    const whole = { ...node(SAMPLER)?.values };
    expect(whole).toMatchObject({ cfg: 9, steps: 20, denoise: 1 });
    undo();
    expect(node(SAMPLER)?.values).toMatchObject({ ...whole, cfg: 4 });
  });

  it("survive being copied before and pasted after", () => {
    const clip = copy(tab().history.present, ROOT, { nodes: new Set([SAMPLER]) });
    typesCome();
    let pasted = "";
    edit("edit.paste", (document) => {
      const made = paste(document, ROOT, clip, null);
      if (!made.ok) return document;
      pasted = [...made.value.selection.nodes][0] ?? "";
      return made.value.document;
    });
    setCfg(pasted, 9);
    expect(node(pasted)?.raw).toBeNull();
    expect(node(pasted)?.values).toEqual({ ...node(SAMPLER)?.values, cfg: 9 });
  });

  it("do not make a saved workflow an unsaved one, also when undo comes back to what was saved", () => {
    updateTab(null, (each) => ({ ...each, saved: each.history.present }));
    rename("changed");
    typesCome();
    expect(tab().saved).not.toBe(tab().history.present);
    undo();
    expect(tab().saved).toBe(tab().history.present);
    expect(node(SAMPLER)?.raw).toBeNull();
  });
});
