/**
 * Group nodes of old files (before sub-graphs), turned into the sub-graph they stand for.
 *
 * Such a node's inputs, widgets and outputs are those of its inner nodes, one inner node after the other, without those
 * joined inside. The same as the server's engine/graph/editor_groups.py; rules: workflow_formats.md, section 7.
 */

import { INPUT_NODE, OUTPUT_NODE } from "@/graph/document";
import type { NodeType } from "@/graph/node_type";
import { isObject, type JsonObject, type Value } from "@/graph/value";

import {
  asText,
  fedByInputs,
  type FileGraph,
  type FileNode,
  isSet,
  own,
  readNode,
  type Slot,
  type Wire,
  wholeNumber,
} from "./file_graph";
import { groupValues } from "./file_widgets";
import { refuse } from "./refusal";

export type Lookup = (type: string) => NodeType | undefined;

/** The group a node's type names ("workflow/NAME"); empty when it names none. */
export function groupName(type: string): string {
  return /^workflow[/>]([^]+)$/.exec(type)?.[1] ?? "";
}

/** The graph behind one group node, its inner widgets holding the values this instance has. */
export function ungroup(instance: FileNode, group: JsonObject, lookup: Lookup): FileGraph {
  const [listed, links] = [group["nodes"], group["links"] ?? []];
  if (!Array.isArray(listed) || !Array.isArray(links)) refuse("reason.file_odd_group", { name: instance.type });
  const config = group["config"];
  const drawing: Drawing = {
    nodes: (listed as readonly Value[]).map((each, index) => {
      return readNode(each, String(index)) ?? refuse("reason.file_odd_group", { name: instance.type });
    }),
    links: innerLinks(links as readonly Value[]),
    types: outerTypes(links as readonly Value[]),
    config: isObject(config) ? config : {},
  };
  const bounded = withBoundary(drawing, withValues(drawing, instance, lookup), instance);
  const wires = new Map([...drawing.links.values()].map(({ id, wire }) => [id, wire]));
  for (const [id, wire] of bounded.wires) wires.set(id, wire);
  const nodes = new Map(bounded.nodes.map((node) => [node.id, node]));
  return {
    nodes,
    wires,
    name: instance.type,
    inputs: bounded.names,
    leaving: leavingWires(drawing, external(group["external"])),
    fed: fedByInputs(nodes, wires, INPUT_NODE),
    inputNode: INPUT_NODE,
  };
}

/** A group's definition: nodes; links by the "node.slot" they reach; types of wires from outside; looks. */
interface Drawing {
  readonly nodes: readonly FileNode[];
  readonly links: ReadonlyMap<string, { readonly id: string; readonly wire: Wire }>;
  readonly types: ReadonlyMap<string, string>;
  readonly config: JsonObject;
}

function placeOf(node: number, slot: number): string {
  return `${node}.${slot}`;
}

/** The inner nodes with the instance's values: its row runs through them one after the other. */
function withValues(drawing: Drawing, instance: FileNode, lookup: Lookup): readonly FileNode[] {
  if (instance.values === null) return drawing.nodes;
  const joined = drawing.nodes.map((node, index) => {
    return new Set(node.inputs.filter((_, place) => drawing.links.has(placeOf(index, place))).map((slot) => slot.name));
  });
  const types = drawing.nodes.map((node) => lookup(node.type));
  return groupValues(drawing.nodes, types, joined, instance.values);
}

interface Bounded {
  readonly names: readonly string[];
  readonly wires: ReadonlyMap<string, Wire>;
  readonly nodes: readonly FileNode[];
}

/** The group's inputs, the wires from them, and the nodes with slots on those wires and on the inner links. */
function withBoundary(drawing: Drawing, nodes: readonly FileNode[], instance: FileNode): Bounded {
  const names: string[] = [];
  const wires = new Map<string, Wire>();
  const drawn = nodes.map((node, index) => {
    const inputs = node.inputs.map((slot, place): Slot => {
      const inner = drawing.links.get(placeOf(index, place));
      if (inner !== undefined) return { ...slot, link: inner.id };
      const name = inputName(drawing, index, place, slot, names, instance);
      if (name === null) return { ...slot, link: null };
      const link = `in${names.length}`;
      wires.set(link, { origin: INPUT_NODE, originSlot: names.length, target: node.id, targetSlot: place });
      names.push(name);
      return { ...slot, link };
    });
    return { ...node, inputs };
  });
  return { names, wires, nodes: drawn };
}

/** What the group calls an inner input; null where it does not show it. */
function inputName(
  drawing: Drawing,
  index: number,
  place: number,
  slot: Slot,
  taken: readonly string[],
  instance: FileNode,
): string | null {
  const given = slot.name || (drawing.types.get(placeOf(index, place)) ?? ""); // a reroute's slot has no name
  const looks = looksOf(drawing, index, "input", given);
  if (looks["visible"] === false && !slot.isWidget) return null;
  let name = isSet(looks["name"]) ? asText(looks["name"]) : given;
  const node = drawing.nodes[index];
  if (taken.includes(name)) name = `${node?.title || (node?.type ?? "")} ${given}`;
  // Widgets are shown as widgets, whose values are in place already, unless someone made them inputs again.
  return slot.isWidget && !instance.inputs.some((each) => each.name === name) ? null : name;
}

/** The group's outputs: those no inner node takes, and those the file lists as needed outside too. */
function leavingWires(drawing: Drawing, needed: ReadonlySet<string>): Map<number, Wire> {
  const used = new Set([...drawing.links.values()].map(({ wire }) => placeOf(Number(wire.origin), wire.originSlot)));
  const found = new Map<number, Wire>();
  drawing.nodes.forEach((node, index) => {
    node.outputs.forEach((_, place) => {
      const at = placeOf(index, place);
      const isHidden = looksOf(drawing, index, "output", String(place))["visible"] === false;
      if (isHidden || (used.has(at) && !needed.has(at))) return;
      found.set(found.size, { origin: node.id, originSlot: place, target: OUTPUT_NODE, targetSlot: found.size });
    });
  });
  return found;
}

function looksOf(drawing: Drawing, index: number, side: "input" | "output", name: string): JsonObject {
  let found: Value | undefined = drawing.config;
  for (const key of [String(index), side, name]) found = isObject(found) ? own(found, key) : undefined;
  return isObject(found) ? found : {};
}

function innerLinks(links: readonly Value[]): Map<string, { id: string; wire: Wire }> {
  const found = new Map<string, { id: string; wire: Wire }>();
  for (const each of links) {
    const [origin, slot, target, place] = numbers(each);
    if (origin === null || slot === null || target === null || place === null) continue;
    const wire = { origin: String(origin), originSlot: slot, target: String(target), targetSlot: place };
    found.set(placeOf(target, place), { id: placeOf(target, place), wire });
  }
  return found;
}

function outerTypes(links: readonly Value[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const each of links) {
    const [origin, , target, place] = numbers(each);
    const type = Array.isArray(each) ? (each as readonly Value[])[5] : null;
    if (origin === null && target !== null && place !== null && typeof type === "string") {
      found.set(placeOf(target, place), type);
    }
  }
  return found;
}

function external(entries: Value | undefined): Set<string> {
  const found = new Set<string>();
  for (const each of Array.isArray(entries) ? (entries as readonly Value[]) : []) {
    if (!Array.isArray(each)) continue;
    const [first, second] = each as readonly Value[];
    const index = wholeNumber(isObject(first) ? first["index"] : first); // some files repeat the node
    const slot = wholeNumber(second);
    if (index !== null && slot !== null) found.add(placeOf(index, slot));
  }
  return found;
}

function numbers(link: Value): readonly [number | null, number | null, number | null, number | null] {
  if (!Array.isArray(link) || link.length < 4) return [null, null, null, null];
  const [origin, slot, target, place] = link as readonly Value[];
  return [wholeNumber(origin), wholeNumber(slot), wholeNumber(target), wholeNumber(place)];
}
