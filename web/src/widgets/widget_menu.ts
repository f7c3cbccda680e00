/** What can be done with a widget besides changing its value: for its own menu and for its node's. */

import { Copy, Dices, Plug, RotateCcw, Unplug } from "lucide-react";

import { type Document, type GraphId, graphOf, type Node } from "@/graph/document";
import { convertToInput, convertToWidget } from "@/graph/edits/values";
import { linkInto } from "@/graph/links";
import type { InputType } from "@/graph/node_type";
import { canConvert } from "@/graph/rules";
import { sameValue, type Value } from "@/graph/value";
import { defaultOf, hasControl } from "@/graph/widgets";
import { nodeTypes } from "@/state/node_types";
import { toast } from "@/state/toasts";
import { tabOfDocument } from "@/state/workbench";
import { t } from "@/texts/index";
import type { MenuItem } from "@/ui/Menu";

import { textOf } from "./choices";
import { controlItems, giveRandom } from "./Controls";
import { labelOf, reasonText } from "./field";
import { isWhole } from "./numbers";
import { sharingItems } from "./sharing";
import { change, give, type Target } from "./target";

interface WidgetPlace {
  readonly documentId: string;
  readonly graphId: GraphId;
}

export function widgetMenu(place: WidgetPlace, node: Node, input: InputType): readonly MenuItem[] {
  const tab = tabOfDocument(place.documentId);
  if (tab === null) return [];
  const document = tab.history.present;
  const target: Target = { ...place, nodeId: node.id, name: input.name };
  const value = node.values[input.name] ?? defaultOf(input);
  return [
    ...seedItems(target, node, input),
    ...conversion(target, document, node),
    ...sharingItems(tab, target, node),
    "separator",
    {
      id: "reset",
      label: t("widget.reset", { label: labelOf(node, input) }),
      icon: RotateCcw,
      isDisabled: sameValue(value, defaultOf(input)),
      onAction: () => give(target, defaultOf(input)),
    },
    { id: "copy_value", label: t("widget.copy_value"), icon: Copy, onAction: () => void copyValue(value) },
  ];
}

function seedItems(target: Target, node: Node, input: InputType): readonly MenuItem[] {
  if (!hasControl(input)) return [];
  const random: MenuItem = {
    id: "new_seed",
    label: t("widget.new_seed"),
    icon: Dices,
    onAction: () => giveRandom(target, input),
  };
  const items = controlItems(target, node, input);
  return [...(isWhole(input) ? [random] : []), { id: "after_run", label: t("widget.after_run"), items }, "separator"];
}

function conversion(target: Target, document: Document, node: Node): readonly MenuItem[] {
  const { graphId, nodeId, name } = target;
  const graph = graphOf(document, graphId);
  const slot = node.inputs.findIndex((each) => each.name === name);
  if (graph === null || document.subgraphs.has(node.type)) return [];
  if (slot >= 0) {
    const isWired = linkInto(graph, nodeId, slot) !== null;
    const back = (): void => change(target, "edit.convert", (now) => convertToWidget(now, graphId, nodeId, name));
    const label = t(isWired ? "widget.disconnect" : "widget.to_widget");
    return [{ id: "to_widget", label, icon: Unplug, onAction: back }];
  }
  if (canConvert(document, graph, nodeTypes(), node, name) !== null) return [];
  return [{ id: "to_input", label: t("widget.to_input"), icon: Plug, onAction: () => convert(target) }];
}

function convert(target: Target): void {
  change(target, "edit.convert", (document) => {
    const outcome = convertToInput(document, target.graphId, nodeTypes(), target.nodeId, target.name);
    if (outcome.ok) return outcome.value;
    toast("warning", reasonText(outcome.reason));
    return document;
  });
}

async function copyValue(value: Value): Promise<void> {
  try {
    await navigator.clipboard.writeText(textOf(value));
    toast("success", t("widget.copied"));
  } catch {
    toast("error", t("widget.copy_failed"));
  }
}
