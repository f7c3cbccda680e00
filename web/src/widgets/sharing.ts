/** Widgets inside a sub-graph that its box shows, so that each box has a value of its own; and back inside. */

import { Eye, EyeOff } from "lucide-react";

import { type Document, type Graph, graphAt, INPUT_NODE, type Node } from "@/graph/document";
import { demote, promote } from "@/graph/edits/subgraphs";
import { linkInto } from "@/graph/links";
import type { Outcome } from "@/graph/reason";
import { nodeTypes } from "@/state/node_types";
import { toast } from "@/state/toasts";
import { shownGraph, type Tab } from "@/state/workbench";
import { t } from "@/texts/index";
import type { MenuItem } from "@/ui/Menu";

import { reasonText } from "./field";
import { change, type Target } from "./target";

export function sharingItems(tab: Tab, target: Target, node: Node): readonly MenuItem[] {
  const document = tab.history.present;
  const definition = document.subgraphs.get(node.type);
  if (definition !== undefined) return onBox(target, definition);
  const box = boxAround(tab, target);
  return box === null ? [] : inside(box, shownGraph(tab), target, node);
}

/** The box whose inside is shown: an instance, and the graph it stands in. */
interface Box {
  readonly graph: Graph;
  readonly instance: Node;
}

function boxAround(tab: Tab, target: Target): Box | null {
  const id = tab.path.at(-1);
  const graph = graphAt(tab.history.present, tab.path.slice(0, -1));
  const instance = id === undefined ? undefined : graph?.nodes.get(id);
  const isShown = instance !== undefined && instance.type === target.graphId && shownGraph(tab).id === target.graphId;
  return graph === null || !isShown ? null : { graph, instance };
}

function inside({ graph, instance }: Box, definition: Graph, target: Target, node: Node): readonly MenuItem[] {
  const slot = node.inputs.findIndex((each) => each.name === target.name);
  const link = slot < 0 ? null : linkInto(definition, node.id, slot);
  if (link !== null && link.origin !== INPUT_NODE) return [];
  const port = link === null ? null : (definition.inputs[link.originSlot]?.name ?? null);
  const isShown = (instance.promoted ?? []).some(([id, name]) => id === node.id && name === target.name);
  if (port !== null) return [hide(target, (now) => demote(now, graph.id, instance.id, null, port))];
  if (isShown) return [hide(target, (now) => demote(now, graph.id, instance.id, node.id, target.name))];
  const show = (now: Document): Outcome<Document> =>
    promote(now, graph.id, nodeTypes(), instance.id, node.id, target.name);
  return [{ id: "promote", label: t("widget.promote"), icon: Eye, onAction: () => share(target, show) }];
}

function onBox(target: Target, definition: Graph): readonly MenuItem[] {
  if (!definition.inputs.some((each) => each.name === target.name)) return [];
  return [hide(target, (now) => demote(now, target.graphId, target.nodeId, null, target.name))];
}

function hide(target: Target, by: (document: Document) => Outcome<Document>): MenuItem {
  return { id: "demote", label: t("widget.demote"), icon: EyeOff, onAction: () => share(target, by) };
}

function share(target: Target, by: (document: Document) => Outcome<Document>): void {
  change(target, "edit.promote", (document) => {
    const outcome = by(document);
    if (outcome.ok) return outcome.value;
    toast("warning", reasonText(outcome.reason));
    return document;
  });
}
