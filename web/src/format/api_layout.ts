/** Places for the nodes of a prompt, which has none: columns from left to right by how much each node needs. */

import { type Link, type Node, type NodeId, TITLE_HEIGHT } from "@/graph/document";

const BETWEEN_COLUMNS = 80;
const BETWEEN_ROWS = 40;
const ROW_HEIGHT = 24;

/** The nodes side by side in columns, none over another; those that wires join stay near each other's height. */
export function laidOut(nodes: ReadonlyMap<NodeId, Node>, links: Iterable<Link>): Map<NodeId, Node> {
  const sources = new Map<NodeId, NodeId[]>();
  for (const { origin, target } of links) {
    const known = sources.get(target);
    if (known === undefined) sources.set(target, [origin]);
    else known.push(origin);
  }
  const columns: NodeId[][] = [];
  for (const [id, depth] of depths(nodes.keys(), sources)) (columns[depth] ??= []).push(id);
  const placed = new Map<NodeId, Node>();
  let x = 0;
  for (const column of columns) {
    const wish = new Map(column.map((id) => [id, meanHeight(sources.get(id) ?? [], placed)]));
    let y = 0;
    for (const id of column.toSorted((one, other) => (wish.get(one) ?? 0) - (wish.get(other) ?? 0))) {
      const node = nodes.get(id);
      if (node === undefined) continue;
      placed.set(id, { ...node, x, y });
      y += heightOf(node) + TITLE_HEIGHT + BETWEEN_ROWS;
    }
    x += column.reduce((widest, id) => Math.max(widest, nodes.get(id)?.width ?? 0), 0) + BETWEEN_COLUMNS;
  }
  return new Map([...nodes].map(([id, node]) => [id, placed.get(id) ?? node]));
}

/** How many nodes stand before each one on its longest way; rings are cut where they are met. */
function depths(ids: Iterable<NodeId>, sources: ReadonlyMap<NodeId, readonly NodeId[]>): Map<NodeId, number> {
  const found = new Map<NodeId, number>();
  const entered = new Set<NodeId>();
  const waiting = [...ids].toReversed();
  for (let id = waiting.at(-1); id !== undefined; id = waiting.at(-1)) {
    const before = sources.get(id) ?? [];
    if (!entered.has(id)) {
      entered.add(id);
      for (const each of before) if (!entered.has(each)) waiting.push(each);
    } else {
      waiting.pop();
      if (!found.has(id))
        found.set(
          id,
          before.reduce((most, each) => Math.max(most, (found.get(each) ?? -1) + 1), 0),
        );
    }
  }
  return found;
}

function meanHeight(sources: readonly NodeId[], placed: ReadonlyMap<NodeId, Node>): number {
  const heights = sources.flatMap((id) => placed.get(id)?.y ?? []);
  return heights.length === 0 ? 0 : heights.reduce((sum, each) => sum + each, 0) / heights.length;
}

/** A node's height, with room for slots that were added to it. */
function heightOf(node: Node): number {
  return Math.max(node.height, ROW_HEIGHT * Math.max(node.inputs.length, node.outputs.length));
}
