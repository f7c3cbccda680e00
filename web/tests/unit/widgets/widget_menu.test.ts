import { beforeEach, describe, expect, test } from "vitest";

import { newNode } from "@/graph/create";
import { emptyDocument, type Node, ROOT } from "@/graph/document";
import type { InputType, NodeType } from "@/graph/node_type";
import { useNodeTypes } from "@/state/node_types";
import { activeTab, openTab, undo, useWorkbench } from "@/state/workbench";
import type { MenuAction } from "@/ui/Menu";
import { give, mergeKey, type Target } from "@/widgets/target";
import { widgetMenu } from "@/widgets/widget_menu";

const seed: InputType = { name: "seed", type: "INT", required: true, choices: null, options: { min: 0, default: 7 } };
const type: NodeType = {
  id: "Noise",
  displayName: "Noise",
  category: "",
  description: "",
  module: "nodes",
  inputs: [seed],
  outputs: [],
  isOutput: false,
  isDeprecated: false,
  isExperimental: false,
  searchAliases: [],
};
const place = { documentId: "doc", graphId: ROOT };
const target: Target = { ...place, nodeId: "1", name: "seed" };

function node(): Node {
  const found = activeTab()?.history.present.root.nodes.get("1");
  if (found === undefined) throw new Error("the node is gone");
  return found;
}

function items(): readonly MenuAction[] {
  return widgetMenu(place, node(), seed).filter((item) => item !== "separator");
}

function choose(id: string): void {
  items()
    .find((item) => item.id === id)
    ?.onAction?.();
}

function isOff(): boolean {
  return items().find((item) => item.id === "reset")?.isDisabled === true;
}

beforeEach(() => {
  const types = new Map([[type.id, type]]);
  useNodeTypes.setState({ types, status: "ready" });
  useWorkbench.setState({ tabs: [], active: null });
  const document = emptyDocument("doc");
  const nodes = new Map([["1", newNode(types, type.id, "1", { x: 0, y: 0 })]]);
  openTab({ ...document, root: { ...document.root, nodes } }, "test");
});

describe("a widget's menu", () => {
  test("makes the widget an input and a widget again, each undone by itself", () => {
    expect(items().map((item) => item.id)).toContain("to_input");
    choose("to_input");
    expect(node().inputs.map((slot) => slot.name)).toEqual(["seed"]);
    choose("to_widget");
    expect(node().inputs).toEqual([]);
    undo();
    expect(node().inputs.map((slot) => slot.name)).toEqual(["seed"]);
  });

  test("resets a value that was changed, and only then", () => {
    expect(isOff()).toBe(true);
    give(target, 99);
    expect(isOff()).toBe(false);
    choose("reset");
    expect(node().values["seed"]).toBe(7);
  });

  test("says what happens to a seed after each run", () => {
    const controls = items().find((item) => item.id === "after_run")?.items ?? [];
    const fixed = controls.find((item) => item !== "separator" && item.id === "fixed");
    if (fixed === undefined || fixed === "separator") throw new Error("no such item");
    expect(fixed.isChecked).toBe(false);
    fixed.onAction?.();
    expect(node().controls["seed"]).toBe("fixed");
  });
});

test("a gesture is one step of undo, the next one another", () => {
  for (const value of [8, 9, 10]) give(target, value, mergeKey(target, "drag 1"));
  for (const value of [11, 12]) give(target, value, mergeKey(target, "drag 2"));
  undo();
  expect(node().values["seed"]).toBe(10);
  undo();
  expect(node().values["seed"]).toBe(7);
});

test("a value of a closed document or a deleted node changes nothing", () => {
  const before = activeTab()?.history.present;
  give({ ...target, documentId: "closed" }, 1);
  give({ ...target, nodeId: "2" }, 1);
  expect(activeTab()?.history.present).toBe(before);
});
