/** What the ends of wires are called in lists. */

import { type Document, type Graph, INPUT_NODE, type Link, type Node, OUTPUT_NODE } from "@/graph/document";
import type { NodeTypes } from "@/graph/node_type";
import { t } from "@/texts/index";
import { titleOf } from "@/view/node_label";

export function inputName(node: Node, slot: number): string {
  const input = node.inputs[slot];
  return input?.label ?? named(input?.name, input?.type);
}

export function outputName(node: Node, slot: number): string {
  const output = node.outputs[slot];
  return output?.label ?? named(output?.name, output?.type);
}

/** "Load checkpoint #4 › MODEL": where a wire comes from. */
export function sourceName(document: Document, graph: Graph, types: NodeTypes, link: Link): string {
  if (link.origin === INPUT_NODE) return `${t("outline.boundary_in")} › ${graph.inputs[link.originSlot]?.name ?? ""}`;
  const node = graph.nodes.get(link.origin);
  if (node === undefined) return `#${link.origin}`;
  return `${titleOf(node, document, types)} #${node.id} › ${outputName(node, link.originSlot)}`;
}

/** Where a wire goes to. */
export function targetName(document: Document, graph: Graph, types: NodeTypes, link: Link): string {
  if (link.target === OUTPUT_NODE)
    return `${t("outline.boundary_out")} › ${graph.outputs[link.targetSlot]?.name ?? ""}`;
  const node = graph.nodes.get(link.target);
  if (node === undefined) return `#${link.target}`;
  return `${titleOf(node, document, types)} #${node.id} › ${inputName(node, link.targetSlot)}`;
}

function named(name: string | undefined, type: string | undefined): string {
  return name !== undefined && name !== "" ? name : (type ?? "");
}
