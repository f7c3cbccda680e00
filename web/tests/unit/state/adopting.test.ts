import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";

import { type Node, ROOT } from "@/graph/document";
import { copy, paste } from "@/graph/edits/clipboard";
import { setValue } from "@/graph/edits/values";
import { nodeTypes, useNodeTypes } from "@/state/node_types";
import { openContent } from "@/state/opening";
import {
  activeTab,
  adoptTypes,
  edit,
  followNewTypes,
  redo,
  type Tab,
  undo,
  updateTab,
  useWorkbench,
} from "@/state/workbench";

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

function slots(): readonly string[] {
  return node(SAMPLER)?.inputs.map((slot) => slot.name) ?? [];
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

describe("types that a plugin's author changes", () => {
  /** The server's types now, with one of them in another form. */
  function change(id: string, inputs: readonly string[] | null): void {
    const before = nodeTypes();
    const types = new Map(before);
    const type = TYPES.get(id);
    if (type === undefined) throw new Error(`no ${id}`);
    const known = type.inputs.filter((each) => inputs?.includes(each.name));
    const fresh = (inputs ?? []).filter((name) => !type.inputs.some((each) => each.name === name));
    const added = fresh.map((name) => ({ name, type: "LATENT", required: true, choices: null, options: {} }));
    if (inputs === null) types.delete(id);
    else types.set(id, { ...type, inputs: [...known, ...added] });
    useNodeTypes.setState({ types });
    followNewTypes(before);
    adoptTypes();
  }

  const ALL = (TYPES.get("KSampler")?.inputs ?? []).map((each) => each.name);

  it("are followed by the nodes, which can be undone", () => {
    typesCome();
    setCfg(SAMPLER, 9);
    const [values, before] = [node(SAMPLER)?.values, slots()];
    change("KSampler", [...ALL, "second"]);
    expect([slots(), node(SAMPLER)?.values]).toEqual([[...before, "second"], values]);
    undo();
    expect(slots()).toEqual(before);
  });

  it("are followed when they come back after they were gone", () => {
    typesCome();
    const values = node(SAMPLER)?.values;
    const links = tab().history.present.root.links.size;
    change("KSampler", null);
    expect(node(SAMPLER)?.values).toEqual(values);
    change("KSampler", [...ALL.filter((name) => name !== "negative"), "second"]);
    expect(slots()).toContain("second");
    expect(slots()).not.toContain("negative");
    expect(node(SAMPLER)?.values).toEqual(values);
    expect(tab().history.present.root.links.size).toBe(links - 1);
  });
});
