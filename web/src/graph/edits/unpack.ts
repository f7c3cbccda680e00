/** Unpacks an instance of a sub-graph: a copy of what is inside takes its place, wired and set as the instance was. */

import type { Point } from "../create";
import {
  ALWAYS,
  type Document,
  type Graph,
  type GraphId,
  graphOf,
  INPUT_NODE,
  type Link,
  type Node,
  type NodeId,
  OUTPUT_NODE,
  REROUTE,
  type Selection,
} from "../document";
import { linkInto, linksFrom, linksOf, type OutputEnd } from "../links";
import { valueAt } from "../node_inputs";
import { done, type Outcome, reason, refused } from "../reason";
import { changeNode, mapLinks, withLinks } from "./graph_change";
import { boundsOf, boxOf } from "./groups";
import { settled, withoutUnused } from "./mirror";
import { withInputSlots } from "./slots";

export interface Unpacked {
  readonly document: Document;
  /** What came out, to be selected. */
  readonly selection: Selection;
}

/** An instance, its definition, and the new ids of what is inside. */
interface Parcel {
  readonly document: Document;
  readonly graph: Graph;
  readonly instance: Node;
  readonly definition: Graph;
  readonly ids: ReadonlyMap<NodeId, NodeId>;
  readonly groupIds: ReadonlyMap<string, string>;
}

export function unpack(document: Document, graphId: GraphId, instanceId: NodeId): Outcome<Unpacked> {
  const graph = graphOf(document, graphId);
  const instance = graph?.nodes.get(instanceId);
  const definition = document.subgraphs.get(instance?.type ?? "");
  if (graph === null || instance === undefined || definition === undefined) {
    return refused(reason("reason.not_a_subgraph"));
  }
  const ids = new Map([...definition.nodes.keys()].map((id, i) => [id, String(graph.lastNode + 1 + i)]));
  const groupIds = new Map([...definition.groups.keys()].map((id, i) => [id, String(graph.lastGroup + 1 + i)]));
  const parcel = { document, graph, instance, definition, ids, groupIds };
  const opened = withLinks(withContents(parcel), [...linksInside(parcel), ...linksOutward(parcel)]);
  const after = withoutWidgetSlots(withHeldValues(opened, parcel), parcel);
  const selection = { nodes: new Set(ids.values()), links: new Set<string>(), groups: new Set(groupIds.values()) };
  return done({ document: withoutUnused(document, settled(document, after)), selection });
}

/** The graph without the instance, with the nodes and groups from inside around its place. */
function withContents({ graph, instance, definition, ids, groupIds }: Parcel): Graph {
  const offset = offsetOf(instance, definition);
  const nodes = new Map(graph.nodes);
  nodes.delete(instance.id);
  for (const [old, node] of definition.nodes) {
    const id = ids.get(old) ?? old;
    // What was muted or bypassed as a whole stays so in its parts.
    const mode = instance.mode === ALWAYS ? node.mode : instance.mode;
    nodes.set(id, { ...node, id, mode, x: node.x + offset.x, y: node.y + offset.y });
  }
  const groups = new Map(graph.groups);
  for (const [old, group] of definition.groups) {
    const id = groupIds.get(old) ?? old;
    groups.set(id, { ...group, id, x: group.x + offset.x, y: group.y + offset.y });
  }
  const gone = new Set(linksOf(graph, instance.id).map((link) => link.id));
  const links = new Map([...graph.links].filter(([id]) => !gone.has(id)));
  const counters = { lastNode: graph.lastNode + ids.size, lastGroup: graph.lastGroup + groupIds.size };
  return { ...graph, nodes, groups, links, ...counters };
}

function offsetOf(instance: Node, definition: Graph): Point {
  const [outer, inner] = [boxOf(instance), boundsOf(definition.nodes.values())];
  if (inner === null) return { x: 0, y: 0 };
  return {
    x: Math.round(outer.x + outer.width / 2 - inner.x - inner.width / 2),
    y: Math.round(outer.y + outer.height / 2 - inner.y - inner.height / 2),
  };
}

/** The wires inside, and those from the boundary, which now begin at what feeds the instance. */
function linksInside(parcel: Parcel): readonly Omit<Link, "id">[] {
  return [...parcel.definition.links.values()].flatMap((link) => {
    const target = parcel.ids.get(link.target);
    const origin = originOutside(parcel, { node: link.origin, slot: link.originSlot });
    if (target === undefined || origin === null) return [];
    return [{ ...link, origin: origin.node, originSlot: origin.slot, target }];
  });
}

/** The wires that left the instance, which now begin at what leads to its outputs inside. */
function linksOutward(parcel: Parcel): readonly Omit<Link, "id">[] {
  const { graph, instance, definition } = parcel;
  return definition.outputs.flatMap((port) => {
    const slot = instance.outputs.findIndex((each) => each.name === port.name);
    const inner = linkInto(definition, OUTPUT_NODE, definition.outputs.indexOf(port));
    const origin = inner && originOutside(parcel, { node: inner.origin, slot: inner.originSlot });
    if (origin === null || slot < 0) return [];
    return linksFrom(graph, instance.id, slot)
      .filter((link) => link.target !== instance.id)
      .map((link) => ({ ...link, origin: origin.node, originSlot: origin.slot }));
  });
}

/** What an origin inside is outside: the copy of the node, or what feeds the instance at that port. */
function originOutside({ graph, instance, definition, ids }: Parcel, end: OutputEnd): OutputEnd | null {
  const seen = new Set<number>();
  let at = end;
  while (at.node === INPUT_NODE && !seen.has(at.slot)) {
    seen.add(at.slot);
    const name = definition.inputs[at.slot]?.name;
    const slot = instance.inputs.findIndex((each) => each.name === name);
    const given = linkInto(graph, instance.id, slot);
    if (given === null) return null;
    if (given.origin !== instance.id) return { node: given.origin, slot: given.originSlot };
    // The instance feeds itself past its inside: go on at the output that does.
    const inner = linkInto(definition, OUTPUT_NODE, given.originSlot);
    if (inner === null) return null;
    at = { node: inner.origin, slot: inner.originSlot };
  }
  const node = ids.get(at.node);
  return node === undefined ? null : { node, slot: at.slot };
}

/** The graph with what the instance held written into the widgets that it was for. */
function withHeldValues(graph: Graph, parcel: Parcel): Graph {
  let result = graph;
  for (const { node, slot, port } of fedWidgets(parcel)) {
    const value = valueAt(parcel.document, parcel.instance, port);
    const control = parcel.instance.controls[port];
    if (isFed(parcel, port)) continue;
    result = changeNode(result, node, (each) => ({
      ...each,
      values: value === undefined ? each.values : { ...each.values, [slot]: value },
      controls: control === undefined ? each.controls : { ...each.controls, [slot]: control },
    }));
  }
  return result;
}

/**
 * Slots that only stood for the instance's values go: the widgets are there to be set again. The slots of an inner
 * instance stay, but reroutes that lead there from nothing are cut off, which would hide the value.
 */
function withoutWidgetSlots(graph: Graph, parcel: Parcel): Graph {
  let result = graph;
  for (const { node, slot, port, isInstance } of fedWidgets(parcel)) {
    const inputs = result.nodes.get(node)?.inputs ?? [];
    const index = inputs.findIndex((each) => each.name === slot);
    if (index < 0 || isFed(parcel, port)) continue;
    const idle = linkInto(result, node, index);
    if (idle !== null) result = mapLinks(result, (link) => (link.id === idle.id ? null : link));
    if (!isInstance) result = withInputSlots(result, node, inputs.toSpliced(index, 1));
  }
  return result;
}

/** Whether a wire outside feeds the instance at a port. */
function isFed({ graph, instance }: Parcel, port: string): boolean {
  const index = instance.inputs.findIndex((each) => each.name === port);
  return index >= 0 && linkInto(graph, instance.id, index) !== null;
}

interface FedWidget {
  readonly node: NodeId;
  readonly slot: string;
  readonly port: string;
  readonly isInstance: boolean;
}

/** The widgets fed from the boundary, straight or through reroutes, by the new ids of their nodes. */
function fedWidgets({ document, definition, ids }: Parcel): readonly FedWidget[] {
  return definition.inputs.flatMap((port, index) =>
    slotsBehind(definition, linksFrom(definition, INPUT_NODE, index)).flatMap((link) => {
      const node = definition.nodes.get(link.target);
      const slot = node?.inputs[link.targetSlot];
      const id = ids.get(link.target);
      if (node === undefined || id === undefined || slot === undefined) return [];
      // An inner instance can hold a value at any of its ports; they may lead to widgets further in.
      const isInstance = document.subgraphs.has(node.type);
      return slot.isWidget || isInstance ? [{ node: id, slot: slot.name, port: port.name, isInstance }] : [];
    }),
  );
}

/** The wires, and those that go on where they end in reroutes. */
function slotsBehind(graph: Graph, links: readonly Link[]): readonly Link[] {
  const found: Link[] = [];
  const waiting = [...links];
  const seen = new Set<NodeId>();
  for (let link = waiting.pop(); link !== undefined; link = waiting.pop()) {
    if (graph.nodes.get(link.target)?.type !== REROUTE) found.push(link);
    else if (!seen.has(link.target)) {
      seen.add(link.target);
      waiting.push(...linksFrom(graph, link.target, 0));
    }
  }
  return found;
}
