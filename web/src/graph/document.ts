/**
 * A workflow as people edit it: frozen values, changed by making new ones that share what stayed the same.
 *
 * A `Document` has a root graph and the sub-graphs it may use, all of one form. Coordinates are those of the file
 * format: a node's (x, y) is the corner of its body, its title bar lies `TITLE_HEIGHT` above. What a file says that we
 * do not know stays in `rest`, and is written back as it came.
 */

import type { JsonObject, Value } from "./value";

export type NodeId = string;
export type LinkId = string;
export type GroupId = string;
export type GraphId = string;

/** The id of the root graph in a document; sub-graphs have the ids their instances' `type` names. */
export const ROOT: GraphId = "";

/** The two nodes that stand for the boundary inside a sub-graph: links come from its inputs and go to its outputs. */
export const INPUT_NODE: NodeId = "-10";
export const OUTPUT_NODE: NodeId = "-20";

/** Values of `Node.mode`; others (1, 3) run like ALWAYS and are kept. */
export const ALWAYS = 0;
export const MUTED = 2;
export const BYPASSED = 4;

export const TITLE_HEIGHT = 30;

/** Kinds of node that are only drawn. */
export const REROUTE = "Reroute";
export const PRIMITIVE = "PrimitiveNode";
export const NOTE = "Note";
export const MARKDOWN_NOTE = "MarkdownNote";

export interface InputSlot {
  readonly name: string;
  readonly type: string;
  /** What people read instead of the name; null: the name. */
  readonly label: string | null;
  /** A widget's value stands behind it: a wire overrides the value, and without one the value counts. */
  readonly isWidget: boolean;
  readonly rest: JsonObject;
}

export interface OutputSlot {
  readonly name: string;
  readonly type: string;
  readonly label: string | null;
  readonly rest: JsonObject;
}

/** What happens to a value after each run. */
export type Control = "fixed" | "increment" | "decrement" | "randomize" | "increment-wrap";

export interface Node {
  readonly id: NodeId;
  /** A node type's id, a sub-graph's id, or one of the drawn kinds above. */
  readonly type: string;
  /** null: the display name of its type. */
  readonly title: string | null;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  /** Without the title bar; the view may draw it taller when the content needs it. */
  readonly height: number;
  readonly mode: number;
  readonly isCollapsed: boolean;
  /** CSS colours of the title bar and the body; null: the theme's. */
  readonly color: string | null;
  readonly background: string | null;
  readonly inputs: readonly InputSlot[];
  readonly outputs: readonly OutputSlot[];
  /** The values of its widgets by input name. For an instance of a sub-graph: the values it holds for its inputs. */
  readonly values: Readonly<Record<string, Value>>;
  readonly controls: Readonly<Record<string, Control>>;
  /** The widgets' values of a node of unknown type, as the file has them; null when `values` has them all. */
  readonly raw: Value;
  /** For an instance of a sub-graph: the inner widgets it shows, (inner node, widget), "-1" for its own inputs. */
  readonly promoted: readonly (readonly [NodeId, string])[] | null;
  /** Fields of the file nobody here knows: properties, order, flags but `collapsed` … */
  readonly rest: JsonObject;
}

export interface Link {
  readonly id: LinkId;
  readonly origin: NodeId;
  readonly originSlot: number;
  readonly target: NodeId;
  readonly targetSlot: number;
  readonly type: string;
  readonly rest: JsonObject;
}

export interface Group {
  readonly id: GroupId;
  readonly title: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly color: string | null;
  readonly rest: JsonObject;
}

/** An input or output of a sub-graph. */
export interface Port {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly label: string | null;
  readonly rest: JsonObject;
}

/** One level: the root, or the inside of a sub-graph. Maps keep the order of the file, which is the drawing order. */
export interface Graph {
  readonly id: GraphId;
  /** A sub-graph's name; "" for the root. */
  readonly name: string;
  readonly nodes: ReadonlyMap<NodeId, Node>;
  readonly links: ReadonlyMap<LinkId, Link>;
  readonly groups: ReadonlyMap<GroupId, Group>;
  /** The boundary; empty for the root. */
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Where the two boundary nodes stand inside. */
  readonly inputAt: { readonly x: number; readonly y: number };
  readonly outputAt: { readonly x: number; readonly y: number };
  /** The highest numbers given so far; ids are never used twice. */
  readonly lastNode: number;
  readonly lastLink: number;
  readonly lastGroup: number;
  readonly rest: JsonObject;
}

export interface Document {
  /** A UUID that stays with the workflow; the server's `workflow_id`. */
  readonly id: string;
  readonly root: Graph;
  readonly subgraphs: ReadonlyMap<GraphId, Graph>;
  /** Fields of the file's top level: extra, config, version … */
  readonly rest: JsonObject;
}

/** What is selected, in one graph. */
export interface Selection {
  readonly nodes: ReadonlySet<NodeId>;
  readonly links: ReadonlySet<LinkId>;
  readonly groups: ReadonlySet<GroupId>;
}

export const NOTHING_SELECTED: Selection = { nodes: new Set(), links: new Set(), groups: new Set() };

/** The way from the root into a sub-graph: ids of instances, each inside the one before. Empty: the root. */
export type Path = readonly NodeId[];

export function graphOf(document: Document, id: GraphId): Graph | null {
  return id === ROOT ? document.root : (document.subgraphs.get(id) ?? null);
}

/** The graph a path leads to; null when it leads nowhere (any more). */
export function graphAt(document: Document, path: Path): Graph | null {
  let graph: Graph | null = document.root;
  for (const id of path) {
    const instance: Node | undefined = graph?.nodes.get(id);
    graph = instance === undefined ? null : (document.subgraphs.get(instance.type) ?? null);
  }
  return graph;
}

/** The document with one of its graphs replaced. */
export function withGraph(document: Document, graph: Graph): Document {
  if (graph.id === ROOT) return graph === document.root ? document : { ...document, root: graph };
  if (document.subgraphs.get(graph.id) === graph) return document;
  return { ...document, subgraphs: new Map(document.subgraphs).set(graph.id, graph) };
}

/** The id a node has in prompts and in the server's events: "57:8" for node 8 inside instance 57. */
export function executionId(path: Path, id: NodeId): string {
  return [...path, id].join(":");
}

export function emptyGraph(id: GraphId, name = ""): Graph {
  return {
    id,
    name,
    nodes: new Map(),
    links: new Map(),
    groups: new Map(),
    inputs: [],
    outputs: [],
    inputAt: { x: -200, y: 0 },
    outputAt: { x: 600, y: 0 },
    lastNode: 0,
    lastLink: 0,
    lastGroup: 0,
    rest: {},
  };
}

export function emptyDocument(id: string): Document {
  return { id, root: emptyGraph(ROOT), subgraphs: new Map(), rest: {} };
}
