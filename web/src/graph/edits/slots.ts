/** Changes the slots of a node, or the ports of a sub-graph, and takes the wires along. Slots are matched by name. */

import {
  type Graph,
  INPUT_NODE,
  type InputSlot,
  type Link,
  type NodeId,
  type OutputSlot,
  OUTPUT_NODE,
  type Port,
} from "../document";
import type { NodeType } from "../node_type";
import { isAutogrow } from "../object_info";
import { growthOf, inputsOf, isWidget } from "../widgets";
import { inputSlot } from "../create";
import { changeNode, mapLinks } from "./graph_change";

export function withInputSlots(graph: Graph, id: NodeId, slots: readonly InputSlot[]): Graph {
  const before = graph.nodes.get(id)?.inputs ?? [];
  if (isSame(before, slots)) return graph;
  const changed = changeNode(graph, id, (node) => ({ ...node, inputs: slots }));
  return renumberedTargets(changed, id, places(before, slots));
}

export function withOutputSlots(graph: Graph, id: NodeId, slots: readonly OutputSlot[]): Graph {
  const before = graph.nodes.get(id)?.outputs ?? [];
  if (isSame(before, slots)) return graph;
  const changed = changeNode(graph, id, (node) => ({ ...node, outputs: slots }));
  return renumberedOrigins(changed, id, places(before, slots));
}

/** The sub-graph with other inputs at its boundary; those that are gone lose their wires inside. */
export function withInputPorts(graph: Graph, ports: readonly Port[]): Graph {
  return renumberedOrigins({ ...graph, inputs: ports }, INPUT_NODE, places(graph.inputs, ports));
}

export function withOutputPorts(graph: Graph, ports: readonly Port[]): Graph {
  return renumberedTargets({ ...graph, outputs: ports }, OUTPUT_NODE, places(graph.outputs, ports));
}

/**
 * Gives a node the slots that its type wants with its values now: sockets of a chosen option come, those of the option
 * before go, a growing group has one free slot behind its last wire. Widgets that were made inputs stay so.
 */
export function reshaped(graph: Graph, id: NodeId, type: NodeType): Graph {
  const node = graph.nodes.get(id);
  const changes = type.inputs.some((each) => isAutogrow(each) || each.type.startsWith("COMFY_DYNAMICCOMBO"));
  if (node === undefined || !changes) return graph;
  const grown = type.inputs.filter(isAutogrow).reduce((slots, group) => {
    const growth = growthOf(group);
    if (growth === null) return slots;
    const last = growth.names.findLastIndex((name) => isWired(graph, id, slots, name));
    const wanted = growth.names.slice(0, Math.max(growth.min, last + 2));
    const others = slots.filter((slot) => !growth.names.includes(slot.name));
    const mine = wanted.map((name) => slots.find((slot) => slot.name === name) ?? inputSlot({ ...growth.first, name }));
    return [...others, ...mine];
  }, node.inputs);
  const wanted = inputsOf(type, node.values, grown);
  const names = new Map(wanted.map((input) => [input.name, input]));
  const kept = new Map(grown.filter((slot) => names.has(slot.name)).map((slot) => [slot.name, slot]));
  const slots = wanted.flatMap((input) => kept.get(input.name) ?? (isWidget(input) ? [] : [inputSlot(input)]));
  return withInputSlots(graph, id, slots);
}

function isWired(graph: Graph, id: NodeId, slots: readonly InputSlot[], name: string): boolean {
  const index = slots.findIndex((slot) => slot.name === name);
  const before = graph.nodes.get(id)?.inputs.findIndex((slot) => slot.name === name) ?? -1;
  if (index < 0 || before < 0) return false;
  for (const link of graph.links.values()) if (link.target === id && link.targetSlot === before) return true;
  return false;
}

function isSame(before: readonly unknown[], after: readonly unknown[]): boolean {
  return before.length === after.length && before.every((each, i) => each === after[i]);
}

/** For each old place the new one; null where the slot is gone. */
function places(
  before: readonly { readonly name: string }[],
  after: readonly { readonly name: string }[],
): readonly (number | null)[] {
  const taken = new Set<number>();
  return before.map((slot) => {
    const place = after.findIndex((each, i) => each.name === slot.name && !taken.has(i));
    if (place < 0) return null;
    taken.add(place);
    return place;
  });
}

function renumberedTargets(graph: Graph, node: NodeId, places: readonly (number | null)[]): Graph {
  return mapLinks(graph, (link) => moved(link, link.target === node, "targetSlot", places));
}

function renumberedOrigins(graph: Graph, node: NodeId, places: readonly (number | null)[]): Graph {
  return mapLinks(graph, (link) => moved(link, link.origin === node, "originSlot", places));
}

function moved(
  link: Link,
  isMine: boolean,
  end: "originSlot" | "targetSlot",
  places: readonly (number | null)[],
): Link | null {
  if (!isMine) return link;
  const place = places[link[end]] ?? null;
  if (place === null) return null;
  return place === link[end] ? link : { ...link, [end]: place };
}
