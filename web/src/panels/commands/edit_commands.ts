/** Undo, the clipboard, selecting and deleting. */

import { removeAround } from "@/graph/edits/links";
import { removeSelection } from "@/graph/edits/nodes";
import type { Command } from "@/state/commands";
import { activeTab, editGraph, redo, select, shownGraph, undo } from "@/state/workbench";

import { copyByCommand, cutByCommand, duplicateSelection, pasteByCommand } from "../files/clipboard";
import { hasNodes, hasSelection, hasTab } from "./conditions";

export const EDIT_COMMANDS: readonly Command[] = [
  { id: "edit.undo", section: "edit", keys: ["Mod+KeyZ"], run: undo, isEnabled: canUndo },
  { id: "edit.redo", section: "edit", keys: ["Mod+Shift+KeyZ", "Mod+KeyY"], run: redo, isEnabled: canRedo },
  { id: "edit.cut", section: "edit", keys: ["Mod+KeyX"], run: cutByCommand, isEnabled: hasNodes },
  { id: "edit.copy", section: "edit", keys: ["Mod+KeyC"], run: copyByCommand, isEnabled: hasNodes },
  { id: "edit.paste", section: "edit", keys: ["Mod+KeyV"], run: () => pasteByCommand(false), isEnabled: hasTab },
  {
    id: "edit.paste_linked",
    section: "edit",
    keys: ["Mod+Shift+KeyV"],
    run: () => pasteByCommand(true),
    isEnabled: hasTab,
  },
  { id: "edit.duplicate", section: "edit", keys: ["Mod+KeyD"], run: duplicateSelection, isEnabled: hasNodes },
  { id: "edit.select_all", section: "edit", keys: ["Mod+KeyA"], run: selectAll, isEnabled: hasTab },
  { id: "edit.select_none", section: "edit", keys: ["Escape"], run: () => select({}), isEnabled: hasSelection },
  { id: "edit.delete", section: "edit", keys: ["Delete", "Backspace"], run: remove, isEnabled: hasSelection },
  { id: "edit.dissolve", section: "edit", keys: ["Shift+Delete", "Mod+Backspace"], run: dissolve, isEnabled: hasNodes },
];

function canUndo(): boolean {
  return (activeTab()?.history.past.length ?? 0) > 0;
}

function canRedo(): boolean {
  return (activeTab()?.history.future.length ?? 0) > 0;
}

function selectAll(): void {
  const tab = activeTab();
  if (tab === null) return;
  const graph = shownGraph(tab);
  select({ nodes: new Set(graph.nodes.keys()), groups: new Set(graph.groups.keys()) });
}

function remove(): void {
  editGraph("edit.delete", (document, graph, tab) => removeSelection(document, graph, tab.selection));
}

/** Deletes nodes and joins the wires that went through them. */
function dissolve(): void {
  editGraph("edit.dissolve", (document, graph, tab) => removeAround(document, graph, tab.selection.nodes));
}
