/** What can be done to the selected nodes. */

import { ALWAYS, BYPASSED, MUTED, type NodeId, type Selection } from "@/graph/document";
import { align, distribute, type Edge } from "@/graph/edits/align";
import { arrange } from "@/graph/edits/arrange";
import { addGroup } from "@/graph/edits/groups";
import { disconnectNode } from "@/graph/edits/links";
import { moveTo, setCollapsed, setMode } from "@/graph/edits/nodes";
import { countInstances, makeUnique, pack, unpack } from "@/graph/edits/subgraphs";
import type { Outcome } from "@/graph/reason";
import type { Command } from "@/state/commands";
import { inWords } from "@/state/opening";
import { toast } from "@/state/toasts";
import { activeTab, editGraph, enter, select, shownGraph, type Tab } from "@/state/workbench";
import { t } from "@/texts/index";
import { setCanvas, useCanvas } from "@/view/canvas_store";
import { currentSizes } from "@/view/scene";

import { openPaletteHere } from "../palette/open_here";
import { hasNodes, hasSeveralNodes, hasTab } from "./conditions";

const EDGES: readonly Edge[] = ["left", "right", "top", "bottom", "centerX", "centerY"];

export const NODE_COMMANDS: readonly Command[] = [
  { id: "node.add", section: "node", keys: ["Space", "Tab", "Shift+KeyA"], run: openPaletteHere, isEnabled: hasTab },
  { id: "node.mute", section: "node", keys: ["Mod+KeyM", "KeyM"], run: () => switchMode(MUTED), isEnabled: hasNodes },
  { id: "node.bypass", section: "node", keys: ["Mod+KeyB"], run: () => switchMode(BYPASSED), isEnabled: hasNodes },
  { id: "node.collapse", section: "node", keys: ["Alt+KeyC"], run: switchCollapsed, isEnabled: hasNodes },
  { id: "node.disconnect", section: "node", keys: [], run: disconnectAll, isEnabled: hasNodes },
  { id: "group.create", section: "node", keys: ["Mod+KeyG"], run: group, isEnabled: hasTab },
  { id: "subgraph.pack", section: "node", keys: ["Mod+Shift+KeyE"], run: packSelection, isEnabled: hasNodes },
  { id: "subgraph.unpack", section: "node", keys: [], run: unpackSelection, isEnabled: hasInstance },
  { id: "subgraph.unique", section: "node", keys: [], run: makeOwn, isEnabled: isShared },
  { id: "subgraph.enter", section: "node", keys: ["Mod+ArrowDown"], run: enterInstance, isEnabled: hasInstance },
  { id: "arrange.all", section: "node", keys: ["Mod+Shift+KeyL"], run: arrangeNodes, isEnabled: hasTab },
  ...EDGES.map((edge): Command => ({
    id: `arrange.align_${edge.toLowerCase()}`,
    section: "node",
    keys: [],
    run: () => alignSelection(edge),
    isEnabled: hasSeveralNodes,
  })),
  ...(["horizontal", "vertical"] as const).map((direction): Command => ({
    id: `arrange.distribute_${direction}`,
    section: "node",
    keys: [],
    run: () => distributeSelection(direction),
    isEnabled: hasSeveralNodes,
  })),
];

/** Sets all to the mode, or back when all have it. */
function switchMode(mode: typeof MUTED | typeof BYPASSED): void {
  editGraph(mode === MUTED ? "edit.mute" : "edit.bypass", (document, graph, tab) => {
    const { nodes } = tab.selection;
    const isOn = [...nodes].every((id) => shownGraph(tab).nodes.get(id)?.mode === mode);
    return setMode(document, graph, nodes, isOn ? ALWAYS : mode);
  });
}

function switchCollapsed(): void {
  editGraph("edit.collapse", (document, graph, tab) => {
    const { nodes } = tab.selection;
    const isOn = [...nodes].every((id) => shownGraph(tab).nodes.get(id)?.isCollapsed === true);
    return setCollapsed(document, graph, nodes, !isOn);
  });
}

function disconnectAll(): void {
  editGraph("edit.disconnect", (document, graph, tab) =>
    [...tab.selection.nodes].reduce((changed, id) => disconnectNode(changed, graph, id), document),
  );
}

function group(): void {
  const tab = activeTab();
  if (tab === null) return;
  let added = "";
  editGraph("edit.add_group", (document, graph) => {
    const sizes = currentSizes();
    const result = addGroup(document, graph, tab.selection.nodes, t("node.new_group"), { sizes });
    added = result.id;
    return result.document;
  });
  if (added === "") return;
  select({ groups: new Set([added]) });
  setCanvas({ renaming: { kind: "group", id: added } });
}

function packSelection(): void {
  const id = editOrSay("edit.pack", (tab) =>
    pack(tab.history.present, shownGraph(tab).id, tab.selection, t("node.new_subgraph"), currentSizes()),
  );
  if (id !== null) setCanvas({ renaming: { kind: "node", id } });
}

function unpackSelection(): void {
  const instance = selectedInstance();
  if (instance !== null) editOrSay("edit.unpack", (tab) => unpack(tab.history.present, shownGraph(tab).id, instance));
}

function makeOwn(): void {
  const instance = selectedInstance();
  if (instance === null) return;
  editOrSay("edit.unique", (tab) => {
    const outcome = makeUnique(tab.history.present, shownGraph(tab).id, instance);
    return outcome.ok ? { ok: true, value: { document: outcome.value } } : outcome;
  });
}

/** Whether the selected box shares its inside with others. */
function isShared(): boolean {
  const tab = activeTab();
  const instance = selectedInstance();
  const type = tab === null || instance === null ? undefined : shownGraph(tab).nodes.get(instance)?.type;
  return tab !== null && type !== undefined && countInstances(tab.history.present, type) > 1;
}

function enterInstance(): void {
  const instance = selectedInstance();
  if (instance !== null) enter(instance);
}

function hasInstance(): boolean {
  return selectedInstance() !== null;
}

function selectedInstance(): NodeId | null {
  const tab = activeTab();
  if (tab === null) return null;
  const { subgraphs } = tab.history.present;
  const isInstance = (id: NodeId): boolean => subgraphs.has(shownGraph(tab).nodes.get(id)?.type ?? "");
  return [...tab.selection.nodes].find(isInstance) ?? null;
}

/** Lays out what is selected, or everything. */
async function arrangeNodes(): Promise<void> {
  const tab = activeTab();
  if (tab === null) return;
  const graph = shownGraph(tab);
  const ids = tab.selection.nodes.size > 1 ? tab.selection.nodes : new Set(graph.nodes.keys());
  const places = await arrange(tab.history.present, graph.id, ids, currentSizes());
  editGraph("edit.arrange", (document, id) => moveTo(document, id, places), { tab: tab.id });
  if (tab.selection.nodes.size < 2) setTimeout(() => useCanvas.getState().fit(), 0);
}

function alignSelection(edge: Edge): void {
  editGraph("edit.align", (document, graph, tab) => align(document, graph, tab.selection.nodes, edge, currentSizes()));
}

function distributeSelection(direction: "horizontal" | "vertical"): void {
  editGraph("edit.distribute", (document, graph, tab) =>
    distribute(document, graph, tab.selection.nodes, direction, currentSizes()),
  );
}

/** An edit that can be refused: then the reason is said, and nothing changes. Returns: the node that it made. */
function editOrSay<
  T extends { readonly document: Tab["history"]["present"]; readonly id?: NodeId; readonly selection?: Selection },
>(name: string, change: (tab: Tab) => Outcome<T>): NodeId | null {
  const tab = activeTab();
  if (tab === null) return null;
  const outcome = change(tab);
  if (!outcome.ok) {
    toast("warning", inWords(outcome.reason));
    return null;
  }
  editGraph(name, () => outcome.value.document);
  const { id, selection } = outcome.value;
  if (id !== undefined) select({ nodes: new Set([id]) });
  else if (selection !== undefined) select(selection);
  return id ?? null;
}
