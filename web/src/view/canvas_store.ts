/**
 * What the canvas can be asked by other rooms (fit, centre, where is this point), and what it shows for a moment: the
 * node with the keyboard's focus, the wire being drawn, an open menu.
 */

import { create } from "zustand";

import type { GroupId, LinkId, NodeId } from "@/graph/document";
import type { InputEnd, OutputEnd } from "@/graph/links";

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** One end of a wire being drawn; the other is looked for. */
export type WireEnd =
  | { readonly kind: "output"; readonly end: OutputEnd; readonly type: string }
  | { readonly kind: "input"; readonly end: InputEnd; readonly type: string };

/** What the palette should offer, and where what is chosen will stand. */
export interface PaletteRequest {
  /** In the graph. */
  readonly at: Point;
  /** In the window. */
  readonly screen: Point;
  /** Only what an input of fits (`accepts`), or an output of (`gives`); and the end to wire it to. */
  readonly fits?: { readonly accepts?: string; readonly gives?: string; readonly from: WireEnd };
}

export type MenuTarget =
  | { readonly kind: "canvas" }
  | { readonly kind: "node"; readonly id: NodeId }
  | { readonly kind: "wire"; readonly id: LinkId }
  | { readonly kind: "group"; readonly id: GroupId };

export interface OpenMenu {
  readonly at: Point;
  readonly target: MenuTarget;
}

/** How much of each node is drawn: all of it; only its title; or all nodes as one picture. */
export type Detail = "full" | "plain" | "far";

interface CanvasState {
  /** Shows everything, or these nodes, as large as fits. */
  readonly fit: (ids?: Iterable<NodeId>) => void;
  readonly zoomIn: () => void;
  readonly zoomOut: () => void;
  readonly center: (ids: Iterable<NodeId>) => void;
  /** A point of the window as one of the graph. */
  readonly screenToGraph: (point: Point) => Point;
  /** Set by the panels. */
  readonly openPalette: ((request: PaletteRequest) => void) | null;
  /** Moves the view to a node that is not seen. */
  readonly bringIntoView: (id: NodeId) => void;
  /** Gives a node the keyboard's focus, and shows it. */
  readonly focusNode: (id: NodeId) => void;
  /** The node that Tab comes to. */
  readonly focused: NodeId | null;
  /** Rises when the focused node should take the keyboard's focus. */
  readonly focusAsked: number;
  readonly renaming: { readonly kind: "node" | "group"; readonly id: string } | null;
  readonly wiring: WireEnd | null;
  /** The wire that was lifted off its input and is being moved. */
  readonly lifted: LinkId | null;
  /** The node whose sockets are listed to be wired by keyboard; `end`: the one chosen already. */
  readonly listing: { readonly node: NodeId; readonly end: WireEnd | null } | null;
  readonly menu: OpenMenu | null;
  readonly detail: Detail;
}

const nothing = (): void => undefined;

export const useCanvas = create<CanvasState>()(() => ({
  fit: nothing,
  zoomIn: nothing,
  zoomOut: nothing,
  center: nothing,
  screenToGraph: (point) => point,
  openPalette: null,
  bringIntoView: nothing,
  focusNode: nothing,
  focused: null,
  focusAsked: 0,
  renaming: null,
  wiring: null,
  lifted: null,
  listing: null,
  menu: null,
  detail: "full",
}));

export function setCanvas(change: Partial<CanvasState>): void {
  useCanvas.setState(change);
}
