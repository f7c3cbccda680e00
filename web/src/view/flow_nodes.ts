/**
 * What React Flow is told of a graph: one flow node per node, group and boundary, with its size and its sockets given
 * outright. Objects are kept per value, so that what did not change is not drawn again.
 */

import { type Node as FlowNodeOf, Position } from "@xyflow/react";

import {
  type Document,
  type Graph,
  type Group,
  INPUT_NODE,
  type Node,
  NOTHING_SELECTED,
  type NodeId,
  OUTPUT_NODE,
  PRIMITIVE,
  type Port,
  ROOT,
  type Selection,
} from "@/graph/document";
import { layoutOf, layoutOfPorts, type NodeLayout, type Rect, rectOf, topOf } from "@/graph/geometry";
import { widgetsAt } from "@/graph/node_inputs";
import type { NodeTypes } from "@/graph/node_type";

export type CardData = { readonly node: Node; readonly layout: NodeLayout };
type GroupData = { readonly group: Group };
type PortsData = { readonly id: NodeId; readonly ports: readonly Port[]; readonly layout: NodeLayout };

export type CardNode = FlowNodeOf<CardData, "card">;
export type GroupNode = FlowNodeOf<GroupData, "frame">;
export type PortsNode = FlowNodeOf<PortsData, "ports">;
export type FlowNode = CardNode | GroupNode | PortsNode;

/** What a node made: "p" pictures, "t" texts, "pt" both. */
export type Made = ReadonlyMap<NodeId, string>;

export interface Scene {
  readonly document: Document;
  readonly graph: Graph;
  readonly types: NodeTypes;
  readonly made: Made;
}

export const GROUP = "group:";

/** Nothing is measured: the element React Flow makes has no size, what stands in it has. */
const UNMEASURED = { width: 0, height: 0 } as const;

/** What stands in the element says what it is; the element itself says nothing. */
const SILENT = { "aria-roledescription": undefined } as unknown as NonNullable<FlowNodeOf["domAttributes"]>;

interface Kept {
  readonly types: NodeTypes;
  readonly around: unknown;
  readonly made: string;
  readonly layout: NodeLayout;
  readonly data: CardData;
}

const kept = new WeakMap<Node, Kept>();
const drawn = new WeakMap<object, FlowNode>();

export function layoutIn(scene: Scene, node: Node): NodeLayout {
  return keptOf(scene, node).layout;
}

export function rectIn(scene: Scene, node: Node): Rect {
  return rectOf(node, layoutIn(scene, node));
}

/** Where the boundary of a sub-graph stands; nothing at the root. */
export function portRects(graph: Graph): readonly Rect[] {
  if (graph.id === ROOT) return [];
  return [portsNode(graph, INPUT_NODE, NOTHING_SELECTED), portsNode(graph, OUTPUT_NODE, NOTHING_SELECTED)].map(
    ({ position, measured }) => ({ ...position, width: measured?.width ?? 0, height: measured?.height ?? 0 }),
  );
}

/** `isReal`: which nodes are drawn as elements; null: all (that are in view). `raised`: those that lie above others. */
export function flowNodes(
  scene: Scene,
  selection: Selection,
  isReal: ((id: NodeId) => boolean) | null,
  raised: ReadonlySet<NodeId>,
): readonly FlowNode[] {
  const { graph } = scene;
  const groups = [...graph.groups.values()].map((group) => groupNode(group, selection.groups.has(group.id)));
  const ends =
    graph.id === ROOT ? [] : [portsNode(graph, INPUT_NODE, selection), portsNode(graph, OUTPUT_NODE, selection)];
  const cards: FlowNode[] = [];
  for (const node of graph.nodes.values()) {
    const isHidden = isReal !== null && !isReal(node.id);
    cards.push(
      cardNode(keptOf(scene, node).data, selection.nodes.has(node.id), isHidden, raised.has(node.id) ? 500 : 0),
    );
  }
  return [...groups, ...ends, ...cards];
}

function keptOf(scene: Scene, node: Node): Kept {
  const around = surroundings(scene, node);
  const made = scene.made.get(node.id) ?? "";
  const known = kept.get(node);
  if (known?.types === scene.types && known.around === around && known.made === made) return known;
  const widgets = widgetsAt(scene.document, scene.graph, scene.types, node);
  const loads = widgets.some(({ input }) => input.options["image_upload"] === true);
  const content = { widgets, hasPictures: loads || made.includes("p"), hasTexts: made.includes("t") };
  const layout = layoutOf(node, content);
  const fresh = { types: scene.types, around, made, layout, data: { node, layout } };
  kept.set(node, fresh);
  return fresh;
}

/** What else, beside the node and its type, its content depends on. */
function surroundings({ document, graph, types }: Scene, node: Node): unknown {
  if (node.type === PRIMITIVE) return graph;
  return types.has(node.type) || !document.subgraphs.has(node.type) ? null : document.subgraphs;
}

function cardNode(data: CardData, selected: boolean, hidden: boolean, zIndex: number): FlowNode {
  const known = drawn.get(data);
  if (known !== undefined && known.selected === selected && known.hidden === hidden && known.zIndex === zIndex)
    return known;
  const { node, layout } = data;
  const fresh: CardNode = {
    ...shape(node.id, node.x, topOf(node), layout),
    type: "card",
    data,
    selected,
    hidden,
    handles: handlesOf(layout),
    zIndex,
    dragHandle: ".node-grip",
  };
  drawn.set(data, fresh);
  return fresh;
}

function portsNode(graph: Graph, id: typeof INPUT_NODE | typeof OUTPUT_NODE, selection: Selection): FlowNode {
  const ports = id === INPUT_NODE ? graph.inputs : graph.outputs;
  const at = id === INPUT_NODE ? graph.inputAt : graph.outputAt;
  const selected = selection.nodes.has(id);
  const known = drawn.get(ports);
  const y = at.y - 30;
  if (known !== undefined && known.position.x === at.x && known.position.y === y && known.selected === selected)
    return known;
  const layout = layoutOfPorts(id, ports);
  const fresh: PortsNode = {
    ...shape(id, at.x, y, layout),
    type: "ports",
    data: { id, ports, layout },
    selected,
    hidden: false,
    handles: handlesOf(layout),
  };
  drawn.set(ports, fresh);
  return fresh;
}

function groupNode(group: Group, selected: boolean): FlowNode {
  const known = drawn.get(group);
  if (known !== undefined && known.selected === selected) return known;
  const fresh: GroupNode = {
    ...shape(GROUP + group.id, group.x, group.y, group),
    type: "frame",
    data: { group },
    selected,
    hidden: false,
    zIndex: -10,
    handles: [],
    dragHandle: ".group-grip",
  };
  drawn.set(group, fresh);
  return fresh;
}

function shape(id: string, x: number, y: number, { width, height }: { width: number; height: number }) {
  return { id, position: { x, y }, measured: { width, height }, style: UNMEASURED, domAttributes: SILENT };
}

function handlesOf(layout: NodeLayout): NonNullable<FlowNode["handles"]> {
  const at = { width: 0, height: 0 };
  const free = layout.widgets.filter((each) => each.slot === null && each.inner === null);
  return [
    ...layout.inputs.map((y, i) => ({
      ...at,
      id: inHandle(i),
      type: "target" as const,
      position: Position.Left,
      x: 0,
      y,
    })),
    ...free.map((each) => ({
      ...at,
      id: widgetHandle(each.input.name),
      type: "target" as const,
      position: Position.Left,
      x: 0,
      y: each.y + 12,
    })),
    ...layout.outputs.map((y, i) => ({
      ...at,
      id: outHandle(i),
      type: "source" as const,
      position: Position.Right,
      x: layout.width,
      y,
    })),
  ];
}

export function inHandle(slot: number): string {
  return `in:${slot}`;
}

export function outHandle(slot: number): string {
  return `out:${slot}`;
}

export function widgetHandle(name: string): string {
  return `widget:${name}`;
}
