/** What React Flow says about selecting and about menus, as the workbench knows it. */

import type { EdgeChange, NodeChange } from "@xyflow/react";
import type { MouseEvent as ReactMouseEvent } from "react";

import { activeTab, select } from "@/state/workbench";

import { type MenuTarget, setCanvas } from "./canvas_store";
import type { FlowWire } from "./flow_edges";
import { type FlowNode, GROUP } from "./flow_nodes";

export function changedSelection(
  changes: readonly (NodeChange<FlowNode> | EdgeChange<FlowWire>)[],
  kind: "nodes" | "links",
): void {
  const tab = activeTab();
  const chosen = changes.filter((each) => each.type === "select");
  if (tab === null || chosen.length === 0) return;
  const sets = {
    nodes: new Set(tab.selection.nodes),
    links: new Set(tab.selection.links),
    groups: new Set(tab.selection.groups),
  };
  for (const { id, selected } of chosen) {
    const isGroup = kind === "nodes" && id.startsWith(GROUP);
    const set = isGroup ? sets.groups : sets[kind];
    if (selected) set.add(isGroup ? id.slice(GROUP.length) : id);
    else set.delete(isGroup ? id.slice(GROUP.length) : id);
  }
  select(sets);
}

function open(event: ReactMouseEvent | MouseEvent, target: MenuTarget): void {
  event.preventDefault();
  setCanvas({ menu: { at: { x: event.clientX, y: event.clientY }, target } });
}

/** What a menu is about is selected, unless it is already. */
export const onContextMenuOf = {
  node: (event: ReactMouseEvent, { id, type }: FlowNode): void => {
    const isField = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
    if (isField) return;
    const selection = activeTab()?.selection;
    if (type === "frame") {
      const group = id.slice(GROUP.length);
      if (selection?.groups.has(group) !== true) select({ groups: new Set([group]) });
      open(event, { kind: "group", id: group });
      return;
    }
    if (type === "ports") return;
    if (selection?.nodes.has(id) !== true) select({ nodes: new Set([id]) });
    open(event, { kind: "node", id });
  },
  wire: (event: ReactMouseEvent, { id }: FlowWire): void => {
    if (activeTab()?.selection.links.has(id) !== true) select({ links: new Set([id]) });
    open(event, { kind: "wire", id });
  },
  pane: (event: ReactMouseEvent | MouseEvent): void => open(event, { kind: "canvas" }),
};
