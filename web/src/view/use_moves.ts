/**
 * Dragging: while it lasts, places live here and in React Flow; when it ends, the document changes once. A group takes
 * what stands in it along.
 */

import type { NodeChange } from "@xyflow/react";
import { useCallback, useMemo, useRef, useState } from "react";

import { type Graph, INPUT_NODE, type Node, OUTPUT_NODE, type Selection } from "@/graph/document";
import { duplicate } from "@/graph/edits/clipboard";
import { nodesIn, setGroup } from "@/graph/edits/groups";
import { moveTo } from "@/graph/edits/nodes";
import { topOf } from "@/graph/geometry";
import { editGraph, select } from "@/state/workbench";

import type { Point } from "./canvas_store";
import { type FlowNode, GROUP } from "./flow_nodes";
import { currentSizes } from "./scene";

type Places = ReadonlyMap<string, Point>;
const NOWHERE: Places = new Map();

export function useMoves(base: readonly FlowNode[], graph: Graph) {
  const [places, setPlaces] = useState(NOWHERE);
  const held = useRef({ places: NOWHERE, inside: new Map<string, readonly string[]>() });
  const isCopying = useRef(false);
  const nodes = useMemo(() => (places.size === 0 ? base : base.map((each) => moved(each, places))), [base, places]);
  const move = useCallback(
    (changes: readonly NodeChange<FlowNode>[]): void => {
      const next = new Map(held.current.places);
      let isOver = false;
      let isMove = false;
      for (const change of changes) {
        if (change.type !== "position") continue;
        isMove = true;
        if (change.position !== undefined) {
          if (change.id.startsWith(GROUP))
            takeAlong(graph, change.id, change.position, next, held.current.inside, changes);
          next.set(change.id, change.position);
        }
        if (change.dragging === false) isOver = true;
      }
      if (!isMove) return;
      if (isOver) {
        held.current = { places: NOWHERE, inside: new Map() };
        if (next.size > 0 && isCopying.current) copyTo(graph, next);
        else if (next.size > 0) keep(graph, next);
        isCopying.current = false;
        setPlaces(NOWHERE);
      } else {
        held.current.places = next;
        setPlaces(next);
      }
    },
    [graph],
  );
  /** With Alt, what is dragged stays where it is, and a copy comes to where it is let go. */
  const begin = useCallback((event: { readonly altKey?: boolean }): void => {
    isCopying.current = event.altKey === true;
  }, []);
  return { nodes, move, begin };
}

function moved(node: FlowNode, places: Places): FlowNode {
  const position = places.get(node.id);
  return position === undefined ? node : { ...node, position, dragging: true };
}

/** Puts what stands in a dragged group where it belongs now. What is dragged by itself as well is left to that. */
function takeAlong(
  graph: Graph,
  id: string,
  to: Point,
  places: Map<string, Point>,
  inside: Map<string, readonly string[]>,
  changes: readonly NodeChange<FlowNode>[],
): void {
  const group = graph.groups.get(id.slice(GROUP.length));
  if (group === undefined) return;
  let ids = inside.get(id);
  if (ids === undefined) {
    const own = new Set(changes.flatMap((each) => (each.type === "position" ? [each.id] : [])));
    const smaller = [...graph.groups.values()].filter(
      (each) =>
        each.id !== group.id &&
        each.x >= group.x &&
        each.y >= group.y &&
        each.x + each.width <= group.x + group.width &&
        each.y + each.height <= group.y + group.height,
    );
    ids = [...nodesIn(graph, group, currentSizes()), ...smaller.map((each) => GROUP + each.id)].filter(
      (each) => !own.has(each),
    );
    inside.set(id, ids);
  }
  const [dx, dy] = [to.x - group.x, to.y - group.y];
  for (const each of ids) {
    const at = placeOf(graph, each);
    if (at !== null) places.set(each, { x: at.x + dx, y: at.y + dy });
  }
}

function placeOf(graph: Graph, id: string): Point | null {
  if (id.startsWith(GROUP)) return graph.groups.get(id.slice(GROUP.length)) ?? null;
  const node = graph.nodes.get(id);
  return node === undefined ? null : { x: node.x, y: topOf(node) };
}

function keep(graph: Graph, places: Places): void {
  editGraph("edit.move", (document, graphId) => {
    const nodes = new Map(
      [...places].filter(([id]) => !id.startsWith(GROUP)).map(([id, at]) => [id, bodyAt(graph.nodes.get(id), id, at)]),
    );
    let after = nodes.size === 0 ? document : moveTo(document, graphId, nodes);
    for (const [id, { x, y }] of places) {
      if (id.startsWith(GROUP))
        after = setGroup(after, graphId, id.slice(GROUP.length), { x: Math.round(x), y: Math.round(y) });
    }
    return after;
  });
}

function isGroup(id: string): boolean {
  return id.startsWith(GROUP);
}

function copyTo(graph: Graph, places: Places): void {
  const [first] = places;
  const from = first === undefined ? null : placeOf(graph, first[0]);
  if (first === undefined || from === null) return;
  const by = { x: Math.round(first[1].x - from.x), y: Math.round(first[1].y - from.y) };
  const ids = [...places.keys()];
  const chosen = {
    nodes: new Set(ids.filter((id) => !isGroup(id))),
    groups: new Set(ids.filter(isGroup).map((id) => id.slice(GROUP.length))),
  };
  let copies: Partial<Selection> = {};
  editGraph("edit.duplicate", (document, graphId) => {
    const made = duplicate(document, graphId, chosen, { by });
    if (!made.ok) return document;
    copies = made.value.selection;
    return made.value.document;
  });
  select(copies);
}

/** The corner of a node's body when its top left corner is at a place. */
function bodyAt(node: Node | undefined, id: string, at: Point): Point {
  const above = node !== undefined ? node.y - topOf(node) : id === INPUT_NODE || id === OUTPUT_NODE ? 30 : 0;
  return { x: Math.round(at.x), y: Math.round(at.y + above) };
}
