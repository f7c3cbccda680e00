/**
 * Would a wire close a ring? A sub-graph's output depends only on those of its inputs that lead to it, so what is
 * followed are pairs of node and slot. A pack of two nodes with a third between them is no ring.
 */

import { type Document, type Graph, INPUT_NODE, type NodeId, OUTPUT_NODE } from "./document";
import { linksFrom } from "./links";

/** Whether what leaves `from` already depends on what enters at `to`. `slot` null: a widget without a slot. */
export function wouldLoop(
  document: Document,
  graph: Graph,
  from: { readonly node: NodeId; readonly slot: number },
  to: { readonly node: NodeId; readonly slot: number | null },
): boolean {
  return reaches(document, graph, to, (node, slot) => node === from.node && slot === from.slot);
}

/** The nodes of a graph that stand in a ring. */
export function nodesInRings(document: Document, graph: Graph): ReadonlySet<NodeId> {
  const found = new Set<NodeId>();
  for (const id of unorderable(graph)) {
    const node = graph.nodes.get(id);
    const isRing = node?.outputs.some((_, slot) =>
      linksFrom(graph, id, slot).some((link) =>
        wouldLoop(document, graph, { node: id, slot }, { node: link.target, slot: link.targetSlot }),
      ),
    );
    if (isRing === true) found.add(id);
  }
  return found;
}

/** Whether an output that `isGoal` is reached from an input slot. */
function reaches(
  document: Document,
  graph: Graph,
  start: { readonly node: NodeId; readonly slot: number | null },
  isGoal: (node: NodeId, slot: number) => boolean,
): boolean {
  const waiting: { readonly node: NodeId; readonly slot: number | null }[] = [start];
  const seen = new Set<string>();
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const node = graph.nodes.get(at.node);
    if (node === undefined) continue;
    const definition = document.subgraphs.get(node.type);
    // Every input of an ordinary node leads to every output of it: looked at once.
    const place = definition === undefined ? node.id : `${node.id} ${at.slot}`;
    if (seen.has(place)) continue;
    seen.add(place);
    for (const slot of node.outputs.keys()) {
      if (definition !== undefined && !leadsTo(document, definition, at.slot ?? -1, slot)) continue;
      if (isGoal(node.id, slot)) return true;
      for (const link of linksFrom(graph, node.id, slot)) waiting.push({ node: link.target, slot: link.targetSlot });
    }
  }
  return false;
}

/** Whether an output of a sub-graph depends on an input of it. */
function leadsTo(document: Document, definition: Graph, input: number, output: number): boolean {
  const isOut = (node: NodeId, slot: number): boolean =>
    linksFrom(definition, node, slot).some((link) => link.target === OUTPUT_NODE && link.targetSlot === output);
  if (isOut(INPUT_NODE, input)) return true;
  return linksFrom(definition, INPUT_NODE, input).some(
    (link) =>
      link.target !== OUTPUT_NODE && reaches(document, definition, { node: link.target, slot: link.targetSlot }, isOut),
  );
}

/** The nodes that are left when those that nothing left stands before are taken away again and again. */
function unorderable(graph: Graph): Iterable<NodeId> {
  const before = new Map<NodeId, number>();
  for (const link of graph.links.values()) before.set(link.target, (before.get(link.target) ?? 0) + 1);
  const left = new Set(graph.nodes.keys());
  const free = [...left].filter((id) => (before.get(id) ?? 0) === 0);
  free.push(INPUT_NODE);
  for (let id = free.pop(); id !== undefined; id = free.pop()) {
    left.delete(id);
    const slots = id === INPUT_NODE ? graph.inputs : (graph.nodes.get(id)?.outputs ?? []);
    for (const slot of slots.keys()) {
      for (const link of linksFrom(graph, id, slot)) {
        const count = (before.get(link.target) ?? 0) - 1;
        before.set(link.target, count);
        if (count === 0 && left.has(link.target)) free.push(link.target);
      }
    }
  }
  return left;
}
