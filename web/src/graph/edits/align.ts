/** Lines nodes up along an edge or their middles, and spaces them evenly. */

import { type Document, type GraphId, graphOf, type NodeId } from "../document";
import type { Point } from "../create";
import { type Box, boundsOf, boxOf, type Sizes } from "./groups";
import { moveTo } from "./nodes";

export type Edge = "left" | "right" | "top" | "bottom" | "centerX" | "centerY";

/** Moves nodes so that the same edge of all lies on the outermost of theirs, or their middles on a line. */
export function align(
  document: Document,
  graphId: GraphId,
  ids: Iterable<NodeId>,
  edge: Edge,
  sizes?: Sizes,
): Document {
  const boxes = boxesOf(document, graphId, ids, sizes);
  const bounds = boundsOfAll(document, graphId, boxes, sizes);
  if (bounds === null || boxes.size < 2) return document;
  return placed(document, graphId, boxes, (box) => lined(box, bounds, edge));
}

/** Moves the nodes between the outermost two so that the gaps between them are equal. */
export function distribute(
  document: Document,
  graphId: GraphId,
  ids: Iterable<NodeId>,
  direction: "horizontal" | "vertical",
  sizes?: Sizes,
): Document {
  const boxes = boxesOf(document, graphId, ids, sizes);
  const [start, length] = direction === "horizontal" ? (["x", "width"] as const) : (["y", "height"] as const);
  const sorted = [...boxes].toSorted(([, one], [, other]) => one[start] - other[start]);
  const [first, last] = [sorted[0]?.[1], sorted.at(-1)?.[1]];
  if (first === undefined || last === undefined || sorted.length < 3) return document;
  const filled = sorted.reduce((sum, [, box]) => sum + box[length], 0);
  const gap = (last[start] + last[length] - first[start] - filled) / (sorted.length - 1);
  const starts = new Map<Box, number>();
  let at = first[start];
  for (const [, box] of sorted) {
    starts.set(box, at);
    at += box[length] + gap;
  }
  return placed(document, graphId, boxes, (box) => ({ x: box.x, y: box.y, [start]: starts.get(box) ?? box[start] }));
}

function lined(box: Box, bounds: Box, edge: Edge): Point {
  switch (edge) {
    case "left":
      return { x: bounds.x, y: box.y };
    case "right":
      return { x: bounds.x + bounds.width - box.width, y: box.y };
    case "top":
      return { x: box.x, y: bounds.y };
    case "bottom":
      return { x: box.x, y: bounds.y + bounds.height - box.height };
    case "centerX":
      return { x: bounds.x + (bounds.width - box.width) / 2, y: box.y };
    case "centerY":
      return { x: box.x, y: bounds.y + (bounds.height - box.height) / 2 };
  }
}

/** Moves nodes by as much as their boxes move. */
function placed(
  document: Document,
  graphId: GraphId,
  boxes: ReadonlyMap<NodeId, Box>,
  to: (box: Box) => Point,
): Document {
  const graph = graphOf(document, graphId);
  const positions = new Map<NodeId, Point>();
  for (const [id, box] of boxes) {
    const node = graph?.nodes.get(id);
    const at = to(box);
    if (node !== undefined) positions.set(id, { x: node.x + at.x - box.x, y: node.y + at.y - box.y });
  }
  return moveTo(document, graphId, positions);
}

function boxesOf(document: Document, graphId: GraphId, ids: Iterable<NodeId>, sizes?: Sizes): ReadonlyMap<NodeId, Box> {
  const graph = graphOf(document, graphId);
  return new Map(
    [...ids].flatMap((id) => {
      const node = graph?.nodes.get(id);
      return node === undefined ? [] : [[id, boxOf(node, sizes)] as const];
    }),
  );
}

function boundsOfAll(document: Document, graphId: GraphId, boxes: ReadonlyMap<NodeId, Box>, sizes?: Sizes): Box | null {
  const graph = graphOf(document, graphId);
  return boundsOf(
    [...boxes.keys()].flatMap((id) => graph?.nodes.get(id) ?? []),
    sizes,
  );
}
