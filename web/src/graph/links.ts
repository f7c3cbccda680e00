/** Which links go into a slot, out of a slot, and to and from a node. Looked up once per set of links, then kept. */

import type { Graph, Link, LinkId, NodeId } from "./document";

/** An output: of a node, or of the boundary (INPUT_NODE) inside a sub-graph, where the slot counts its inputs. */
export interface OutputEnd {
  readonly node: NodeId;
  readonly slot: number;
}

/** An input slot: of a node, or of the boundary (OUTPUT_NODE), where the slot counts the sub-graph's outputs. */
export interface SlotEnd {
  readonly node: NodeId;
  readonly slot: number;
}

/** A widget that has no slot yet: a wire dropped on it converts it into an input. */
interface WidgetEnd {
  readonly node: NodeId;
  readonly widget: string;
}

export type InputEnd = SlotEnd | WidgetEnd;

interface Ends {
  readonly into: Link[];
  readonly from: Link[];
}

const NONE: readonly Link[] = [];
const indices = new WeakMap<ReadonlyMap<LinkId, Link>, ReadonlyMap<NodeId, Ends>>();

/** The link into an input slot. */
export function linkInto(graph: Graph, node: NodeId, slot: number): Link | null {
  return (
    indexOf(graph)
      .get(node)
      ?.into.find((link) => link.targetSlot === slot) ?? null
  );
}

/** The links out of an output slot. */
export function linksFrom(graph: Graph, node: NodeId, slot: number): readonly Link[] {
  return (
    indexOf(graph)
      .get(node)
      ?.from.filter((link) => link.originSlot === slot) ?? NONE
  );
}

/** Every link into a node. */
export function linksInto(graph: Graph, node: NodeId): readonly Link[] {
  return indexOf(graph).get(node)?.into ?? NONE;
}

/** Every link out of a node. */
export function linksOutOf(graph: Graph, node: NodeId): readonly Link[] {
  return indexOf(graph).get(node)?.from ?? NONE;
}

/** Every link into or out of a node. */
export function linksOf(graph: Graph, node: NodeId): readonly Link[] {
  const ends = indexOf(graph).get(node);
  return ends === undefined ? NONE : [...ends.into, ...ends.from];
}

function indexOf(graph: Graph): ReadonlyMap<NodeId, Ends> {
  const known = indices.get(graph.links);
  if (known !== undefined) return known;
  const index = new Map<NodeId, Ends>();
  for (const link of graph.links.values()) {
    endsOf(index, link.origin).from.push(link);
    endsOf(index, link.target).into.push(link);
  }
  indices.set(graph.links, index);
  return index;
}

function endsOf(index: Map<NodeId, Ends>, node: NodeId): Ends {
  const found = index.get(node);
  if (found !== undefined) return found;
  const ends = { into: [], from: [] };
  index.set(node, ends);
  return ends;
}
