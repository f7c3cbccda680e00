/**
 * The workflows that are open, and what is looked at and selected in each. Every change of a document goes through
 * `edit`, so that everything can be undone.
 */

import { create } from "zustand";

import { adopt } from "@/format/editor_file";
import {
  type Document,
  type Graph,
  type GraphId,
  graphAt,
  NOTHING_SELECTED,
  type NodeId,
  type Path,
  type Selection,
} from "@/graph/document";
import { followTypes } from "@/graph/edits/follow_types";
import { begin, type History, record, redo as redone, settle as settled, undo as undone } from "@/graph/history";

import type { NodeType, NodeTypes } from "@/graph/node_type";

import { nodeTypes } from "./node_types";

export type TabId = string;

/** Where a workflow is kept on the server. */
interface Kept {
  /** Its path in the user's data, "workflows/portrait.json". */
  readonly path: string;
  /** The version that we read or wrote last, as the server names it; sent back so that nothing newer is overwritten. */
  readonly etag: string | null;
}

interface Viewport {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}

export interface Tab {
  readonly id: TabId;
  readonly name: string;
  readonly kept: Kept | null;
  readonly history: History;
  /** The document as it was last written to the server; the tab has unsaved changes when it is another. */
  readonly saved: Document | null;
  /** Which graph is shown. */
  readonly path: Path;
  readonly selection: Selection;
  /** Where the canvas stood in each graph. */
  readonly viewports: ReadonlyMap<GraphId, Viewport>;
  /** What reading its file had to say: unknown nodes, repaired wires. */
  readonly notes: readonly string[];
}

interface Workbench {
  readonly tabs: readonly Tab[];
  readonly active: TabId | null;
}

export const useWorkbench = create<Workbench>()(() => ({ tabs: [], active: null }));

// ------------------------------------------------------------------------------------------------------------ reading

export function activeTab(): Tab | null {
  return currentTab(useWorkbench.getState());
}

export function currentTab(state: Workbench): Tab | null {
  return state.tabs.find((each) => each.id === state.active) ?? null;
}

/** The graph that a tab shows: where its path leads, or the root when that is gone. */
export function shownGraph(tab: Tab): Graph {
  return graphAt(tab.history.present, tab.path) ?? tab.history.present.root;
}

export function tabOfDocument(id: string): Tab | null {
  return useWorkbench.getState().tabs.find((each) => each.history.present.id === id) ?? null;
}

/** A part of the active tab, for components: `useTab((tab) => tab.selection)`; null without a tab. */
export function useTab<T>(part: (tab: Tab) => T): T | null {
  return useWorkbench((state) => {
    const tab = currentTab(state);
    return tab === null ? null : part(tab);
  });
}

// ------------------------------------------------------------------------------------------------------------ editing

/** How an edit is recorded: edits in a row with the same `merge` are undone together. */
interface EditOptions {
  readonly merge?: string;
  readonly tab?: TabId;
}

/**
 * Changes the document of the active tab (or of `tab`). `name` is a key of `texts`, such as "edit.move"; a change that
 * returns the same document is none.
 */
export function edit(
  name: string,
  change: (document: Document, tab: Tab) => Document,
  options: EditOptions = {},
): void {
  updateTab(options.tab ?? null, (before) => {
    const tab = adopted(before);
    const document = change(tab.history.present, tab);
    const history = record(tab.history, document, name, options.merge ?? null);
    return history === tab.history ? before : standing({ ...tab, history });
  });
}

/** The same for the graph that is shown. */
export function editGraph(
  name: string,
  change: (document: Document, graph: GraphId, tab: Tab) => Document,
  options: EditOptions = {},
): void {
  edit(name, (document, tab) => change(document, shownGraph(tab).id, tab), options);
}

/** A tab with another document in the place of its own: an edit like any other. */
export function replaceDocument(tab: Tab, document: Document, name: string): Tab {
  return standing({ ...tab, history: record(tab.history, document, name) });
}

/** Ends a row of merged edits (a drag is over), so that the next one is undone by itself. */
export function settle(tab: TabId | null = null): void {
  updateTab(tab, (each) => {
    const history = settled(each.history);
    return history === each.history ? each : { ...each, history };
  });
}

export function undo(): void {
  updateTab(null, (tab) => standing({ ...tab, history: undone(tab.history) }));
}

export function redo(): void {
  updateTab(null, (tab) => standing({ ...tab, history: redone(tab.history) }));
}

/** Brings the nodes of every workflow after types that have changed: an edit like any other where something does. */
export function followNewTypes(before: NodeTypes): void {
  for (const [id, type] of before) lastKnown.set(id, type);
  for (const { id } of useWorkbench.getState().tabs) {
    updateTab(id, (tab) => {
      const document = followTypes(tab.history.present, lastKnown, nodeTypes());
      return document === tab.history.present ? tab : replaceDocument(tab, document, "edit.follow_types");
    });
  }
}

/** What each type was when it was there last: a plugin may be gone for a while and come back changed. */
const lastKnown = new Map<string, NodeType>();

/** Names the values of nodes whose type has become known. Not an edit: nothing a person did changes. */
export function adoptTypes(): void {
  for (const { id } of useWorkbench.getState().tabs) updateTab(id, adopted);
}

// ---------------------------------------------------------------------------------------------- looking and selecting

export function select(selection: Partial<Selection>): void {
  updateTab(null, (tab) => ({ ...tab, selection: { ...NOTHING_SELECTED, ...selection } }));
}

/** Goes into a sub-graph's instance in the shown graph, or anywhere by its whole path. */
export function goTo(path: Path): void {
  updateTab(null, (tab) => standing({ ...tab, path, selection: NOTHING_SELECTED }));
}

export function enter(instance: NodeId): void {
  const tab = activeTab();
  if (tab !== null) goTo([...tab.path, instance]);
}

export function lookAt(graph: GraphId, viewport: Viewport): void {
  updateTab(null, (tab) => ({ ...tab, viewports: new Map(tab.viewports).set(graph, viewport) }));
}

// --------------------------------------------------------------------------------------------------------------- tabs

/** Opens a document in a new tab and shows it. Returns: the tab's id. */
export function openTab(
  document: Document,
  name: string,
  more: Partial<Pick<Tab, "kept" | "saved" | "notes">> = {},
): TabId {
  const tab: Tab = {
    id: crypto.randomUUID(),
    name,
    kept: null,
    history: begin(document),
    saved: null,
    path: [],
    selection: NOTHING_SELECTED,
    viewports: new Map(),
    notes: [],
    ...more,
  };
  useWorkbench.setState((state) => ({ tabs: [...state.tabs, tab], active: tab.id }));
  return tab.id;
}

export function closeTab(id: TabId): void {
  useWorkbench.setState((state) => {
    const place = state.tabs.findIndex((each) => each.id === id);
    const tabs = state.tabs.filter((each) => each.id !== id);
    const next = tabs[Math.min(place, tabs.length - 1)]?.id ?? null;
    return { tabs, active: state.active === id ? next : state.active };
  });
}

export function showTab(id: TabId): void {
  useWorkbench.setState((state) => (state.tabs.some((each) => each.id === id) ? { active: id } : state));
}

/** Changes a tab; null means the active one. Documents are changed with `edit`. */
export function updateTab(id: TabId | null, change: (tab: Tab) => Tab): void {
  useWorkbench.setState((state) => {
    const wanted = id ?? state.active;
    const tabs = state.tabs.map((each) => (each.id === wanted ? change(each) : each));
    return tabs.every((each, i) => each === state.tabs[i]) ? state : { tabs };
  });
}

/**
 * The tab with named values in its document wherever the types of nodes are known by now. The documents before and
 * after it are left as they are until undo or redo comes to them: there can be hundreds.
 */
function adopted(tab: Tab): Tab {
  const { present } = tab.history;
  const named = adopt(present, nodeTypes());
  if (named === present) return tab;
  return { ...tab, saved: tab.saved === present ? named : tab.saved, history: { ...tab.history, present: named } };
}

/** The tab after its document was replaced, with nothing in its path and selection that is no longer there. */
function standing(changed: Tab): Tab {
  const tab = adopted(changed);
  let path = tab.path;
  while (path.length > 0 && graphAt(tab.history.present, path) === null) path = path.slice(0, -1);
  const graph = graphAt(tab.history.present, path) ?? tab.history.present.root;
  const selection = {
    nodes: kept(tab.selection.nodes, graph.nodes),
    links: kept(tab.selection.links, graph.links),
    groups: kept(tab.selection.groups, graph.groups),
  };
  return { ...tab, path, selection };
}

function kept(chosen: ReadonlySet<string>, there: ReadonlyMap<string, unknown>): ReadonlySet<string> {
  for (const id of chosen) if (!there.has(id)) return new Set([...chosen].filter((each) => there.has(each)));
  return chosen;
}
