/** Links as React Flow's edges, kept per link; and what the ends of a wire being drawn mean in the graph. */

import type { Edge } from "@xyflow/react";

import { type Graph, INPUT_NODE, type Link, type LinkId, OUTPUT_NODE } from "@/graph/document";
import type { InputEnd, OutputEnd } from "@/graph/links";

import { inHandle, outHandle } from "./flow_nodes";

type WireData = { readonly type: string; readonly isMuted: boolean };
export type FlowWire = Edge<WireData, "wire">;

const SILENT = { "aria-roledescription": undefined } as unknown as NonNullable<FlowWire["domAttributes"]>;

const kept = new WeakMap<Link, FlowWire>();

export function flowEdges(graph: Graph, selected: ReadonlySet<LinkId>): readonly FlowWire[] {
  const wires: FlowWire[] = [];
  for (const link of graph.links.values()) {
    if (hasEnds(graph, link)) wires.push(wireOf(graph, link, selected.has(link.id)));
  }
  return wires;
}

/** A file may hold wires to slots that are not there; they are kept and not drawn. */
function hasEnds(graph: Graph, link: Link): boolean {
  const outputs = link.origin === INPUT_NODE ? graph.inputs : graph.nodes.get(link.origin)?.outputs;
  const inputs = link.target === OUTPUT_NODE ? graph.outputs : graph.nodes.get(link.target)?.inputs;
  return outputs?.[link.originSlot] !== undefined && inputs?.[link.targetSlot] !== undefined;
}

function wireOf(graph: Graph, link: Link, selected: boolean): FlowWire {
  const known = kept.get(link);
  const type = typeOf(graph, link);
  const isMuted = isOff(graph, link);
  if (known?.selected === selected && known.data?.type === type && known.data.isMuted === isMuted) return known;
  const fresh: FlowWire = {
    id: link.id,
    type: "wire",
    source: link.origin,
    sourceHandle: outHandle(link.originSlot),
    target: link.target,
    targetHandle: inHandle(link.targetSlot),
    selected,
    data: { type, isMuted },
    focusable: false,
    // Wires are told by the sockets they join, and in the list view.
    ariaRole: "presentation",
    ariaLabel: null as unknown as string,
    domAttributes: SILENT,
  };
  kept.set(link, fresh);
  return fresh;
}

/** The type it carries: its output's, where that says more than "anything". */
export function typeOf(graph: Graph, link: Link): string {
  const given =
    link.origin === INPUT_NODE
      ? graph.inputs[link.originSlot]?.type
      : graph.nodes.get(link.origin)?.outputs[link.originSlot]?.type;
  return given === undefined || given === "*" || given === "" ? link.type : given;
}

function isOff(graph: Graph, link: Link): boolean {
  return graph.nodes.get(link.origin)?.mode === 2 || graph.nodes.get(link.target)?.mode === 2;
}

export interface Ends {
  readonly source: string;
  readonly sourceHandle?: string | null;
  readonly target: string;
  readonly targetHandle?: string | null;
}

/** The two ends of a connection that React Flow names by its handles. */
export function endsOf(ends: Ends): { readonly from: OutputEnd; readonly to: InputEnd } | null {
  const from = outputEnd(ends.source, ends.sourceHandle);
  const to = inputEnd(ends.target, ends.targetHandle);
  return from === null || to === null ? null : { from, to };
}

export function outputEnd(node: string, handle: string | null | undefined): OutputEnd | null {
  const slot = handle?.startsWith("out:") === true ? Number(handle.slice(4)) : NaN;
  return Number.isInteger(slot) ? { node, slot } : null;
}

export function inputEnd(node: string, handle: string | null | undefined): InputEnd | null {
  if (handle?.startsWith("widget:") === true) return { node, widget: handle.slice(7) };
  const slot = handle?.startsWith("in:") === true ? Number(handle.slice(3)) : NaN;
  return Number.isInteger(slot) ? { node, slot } : null;
}
