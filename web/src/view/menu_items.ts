/** What the menus of the canvas, of a node, a widget, a wire and a group offer. */

import {
  Brush,
  ClipboardPaste,
  Copy,
  CopyPlus,
  Crosshair,
  Group,
  LogIn,
  Maximize,
  Package,
  PackageOpen,
  Palette,
  Pencil,
  Play,
  Plus,
  Scissors,
  Spline,
  TextCursorInput,
  Trash2,
  Unplug,
} from "lucide-react";

import type { Graph } from "@/graph/document";
import { fitGroup, setGroup } from "@/graph/edits/groups";
import { disconnect, disconnectNode, insertReroute } from "@/graph/edits/links";
import { setColor } from "@/graph/edits/nodes";
import { isTall } from "@/graph/geometry";
import { linksOf } from "@/graph/links";
import { widgetsAt } from "@/graph/node_inputs";
import { perform, useCommands } from "@/state/commands";
import { maskTarget, openMaskEditor } from "@/state/mask_editing";
import { nodeTypes } from "@/state/node_types";
import { activeTab, editGraph, enter, select, shownGraph } from "@/state/workbench";
import { lookUp, t } from "@/texts/index";
import type { LucideIcon } from "@/ui/Icon";
import type { MenuItem } from "@/ui/menu_item";
import { labelOf } from "@/widgets/field";
import { widgetMenu } from "@/widgets/widget_menu";

import { type OpenMenu, type Point, setCanvas, useCanvas } from "./canvas_store";
import { currentSizes } from "./scene";

/** Title bar and body, from dark to light themes: the theme mixes them into its own surfaces. */
const COLORS = {
  red: ["#a3433b", "#a3433b"],
  orange: ["#b0672b", "#b0672b"],
  yellow: ["#a8892a", "#a8892a"],
  green: ["#46864c", "#46864c"],
  teal: ["#2f8683", "#2f8683"],
  blue: ["#3d70b2", "#3d70b2"],
  purple: ["#7a56b0", "#7a56b0"],
  grey: ["#70757f", "#70757f"],
} as const;

export function itemsOf({ target, at }: OpenMenu): readonly MenuItem[] {
  const tab = activeTab();
  if (tab === null) return [];
  const graph = shownGraph(tab);
  const place = useCanvas.getState().screenToGraph(at);
  switch (target.kind) {
    case "canvas":
      return canvasItems(at, place);
    case "node":
      return nodeItems(target.id, graph, tab.history.present.subgraphs.has(graph.nodes.get(target.id)?.type ?? ""));
    case "wire":
      return wireItems(target.id, place);
    case "group":
      return groupItems(target.id);
  }
}

/** A command as an item; nothing when nobody registered it. */
function command(id: string, icon?: LucideIcon, tone?: "danger"): readonly MenuItem[] {
  const found = useCommands.getState().commands.get(id);
  if (found === undefined) return [];
  const isDisabled = !(found.isEnabled?.() ?? true);
  return [
    { id, label: lookUp(`command.${id}`), icon, keys: found.keys[0], isDisabled, tone, onAction: () => perform(id) },
  ];
}

function canvasItems(at: Point, place: Point): readonly MenuItem[] {
  const { openPalette } = useCanvas.getState();
  return [
    {
      id: "add",
      label: t("canvas.menu.add"),
      icon: Plus,
      isDisabled: openPalette === null,
      onAction: () => openPalette?.({ at: place, screen: at }),
    },
    "separator",
    ...command("edit.paste", ClipboardPaste),
    ...command("edit.select_all"),
    ...command("group.create", Group),
    "separator",
    ...command("arrange.all"),
    ...command("view.fit", Maximize),
    ...command("view.minimap"),
    ...command("view.snap"),
  ];
}

function nodeItems(id: string, graph: Graph, isInstance: boolean): readonly MenuItem[] {
  const isWired = linksOf(graph, id).length > 0;
  return [
    ...(isInstance
      ? ([{ id: "enter", label: t("canvas.menu.enter"), icon: LogIn, onAction: () => enter(id) }] satisfies MenuItem[])
      : []),
    ...command("node.run_to", Play),
    ...painting(id),
    ...textMenus(id, graph),
    "separator",
    ...command("edit.copy", Copy),
    ...command("edit.duplicate", CopyPlus),
    {
      id: "rename",
      label: t("canvas.menu.rename"),
      icon: Pencil,
      keys: "F2",
      onAction: () => setCanvas({ renaming: { kind: "node", id } }),
    },
    { id: "color", label: t("canvas.menu.color"), icon: Palette, items: nodeColors() },
    "separator",
    ...command("node.mute"),
    ...command("node.bypass"),
    ...command("node.collapse"),
    {
      id: "connect",
      label: t("canvas.menu.connect"),
      icon: Spline,
      keys: "KeyC",
      onAction: () => setCanvas({ listing: { node: id, end: null } }),
    },
    {
      id: "disconnect",
      label: t("canvas.menu.disconnect"),
      icon: Unplug,
      isDisabled: !isWired,
      onAction: () => editGraph("edit.disconnect", (document, graphId) => disconnectNode(document, graphId, id)),
    },
    "separator",
    ...command("group.create", Group),
    ...command("subgraph.pack", Package),
    ...(isInstance ? command("subgraph.unpack", PackageOpen) : []),
    ...(isInstance ? command("subgraph.unique") : []),
    ...aligning(),
    "separator",
    ...command("edit.delete", Trash2, "danger"),
  ];
}

/** On nodes that load a picture. */
function painting(id: string): readonly MenuItem[] {
  const tab = activeTab();
  const target = tab === null ? null : maskTarget(tab, id);
  if (target === null) return [];
  return [{ id: "mask", label: t("canvas.menu.mask"), icon: Brush, onAction: () => openMaskEditor(target) }];
}

/** What else can be done with each long text: under the pointer a text has the browser's own menu. */
function textMenus(id: string, graph: Graph): readonly MenuItem[] {
  const document = activeTab()?.history.present;
  const node = graph.nodes.get(id);
  if (document === undefined || node === undefined) return [];
  return widgetsAt(document, graph, nodeTypes(), node).flatMap(({ input, inner }) => {
    const owner = inner === null ? node : document.subgraphs.get(node.type)?.nodes.get(inner);
    if (owner === undefined || !isTall(input)) return [];
    const place = { documentId: document.id, graphId: inner === null ? graph.id : node.type };
    const items = widgetMenu(place, owner, input);
    return [{ id: `text ${inner ?? ""} ${input.name}`, label: labelOf(owner, input), icon: TextCursorInput, items }];
  });
}

function aligning(): readonly MenuItem[] {
  if ((activeTab()?.selection.nodes.size ?? 0) < 2) return [];
  const ids = [...useCommands.getState().commands.keys()].filter((id) => id.startsWith("arrange."));
  if (ids.length === 0) return [];
  return [{ id: "align", label: t("canvas.menu.align"), items: ids.flatMap((id) => command(id)) }];
}

function nodeColors(): readonly MenuItem[] {
  return colors((color, background) =>
    editGraph("edit.color", (document, graph, tab) =>
      setColor(document, graph, tab.selection.nodes, color, background),
    ),
  );
}

function colors(choose: (color: string | null, background: string | null) => void): readonly MenuItem[] {
  return [
    { id: "color.none", label: t("canvas.color.none"), onAction: () => choose(null, null) },
    "separator",
    ...Object.entries(COLORS).map(([name, [color, background]]) => ({
      id: `color.${name}`,
      label: lookUp(`canvas.color.${name}`),
      onAction: () => choose(color, background),
    })),
  ];
}

function wireItems(id: string, place: Point): readonly MenuItem[] {
  return [
    { id: "reroute", label: t("canvas.menu.reroute"), icon: Spline, onAction: () => addReroute(id, place) },
    {
      id: "to_origin",
      label: t("canvas.menu.to_origin"),
      icon: Crosshair,
      onAction: () => goToEnd(id, "origin"),
    },
    { id: "to_target", label: t("canvas.menu.to_target"), icon: Crosshair, onAction: () => goToEnd(id, "target") },
    "separator",
    {
      id: "cut",
      label: t("canvas.menu.cut_wire"),
      icon: Scissors,
      tone: "danger",
      onAction: () => editGraph("edit.disconnect", (document, graph) => disconnect(document, graph, [id])),
    },
  ];
}

/** Puts a reroute into a wire, its middle at the place. */
export function addReroute(id: string, { x, y }: Point): void {
  editGraph("edit.reroute", (document, graph) => {
    const after = insertReroute(document, graph, id, { x: Math.round(x - 37), y: Math.round(y - 13) });
    return after.ok ? after.value.document : document;
  });
}

function goToEnd(id: string, end: "origin" | "target"): void {
  const tab = activeTab();
  const link = tab === null ? undefined : shownGraph(tab).links.get(id);
  if (link === undefined) return;
  select({ nodes: new Set([link[end]]) });
  useCanvas.getState().focusNode(link[end]);
  useCanvas.getState().center([link[end]]);
}

function groupItems(id: string): readonly MenuItem[] {
  return [
    {
      id: "rename",
      label: t("canvas.menu.rename"),
      icon: Pencil,
      keys: "F2",
      onAction: () => setCanvas({ renaming: { kind: "group", id } }),
    },
    {
      id: "color",
      label: t("canvas.menu.color"),
      icon: Palette,
      items: colors((color) => editGraph("edit.color", (document, graph) => setGroup(document, graph, id, { color }))),
    },
    {
      id: "fit",
      label: t("canvas.menu.fit_group"),
      icon: Maximize,
      onAction: () => editGraph("edit.resize", (document, graph) => fitGroup(document, graph, id, currentSizes())),
    },
    "separator",
    ...command("edit.delete", Trash2, "danger"),
  ];
}
