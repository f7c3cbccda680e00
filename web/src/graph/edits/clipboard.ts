/** Copies parts of a graph and puts them back in: in the same graph, another, or another document. */

import type { Point } from "../create";
import {
  type Document,
  type Graph,
  type Group,
  type GraphId,
  graphOf,
  INPUT_NODE,
  type Link,
  type Node,
  type NodeId,
  NOTHING_SELECTED,
  type Selection,
} from "../document";
import { linksInto } from "../links";
import { done, type Outcome, reason, refused } from "../reason";
import { boundsOf } from "./groups";
import { withLinks } from "./graph_change";
import { settled, usedBy } from "./mirror";

/** A copied part of a graph, complete in itself. */
export interface Clip {
  readonly nodes: readonly Node[];
  /** The wires between them. */
  readonly links: readonly Link[];
  /** The wires that came in from elsewhere; pasted only on wish, and only where their origin is. */
  readonly incoming: readonly Link[];
  readonly groups: readonly Group[];
  /** The sub-graphs that they use, directly or inside others. */
  readonly subgraphs: readonly Graph[];
  readonly documentId: string;
  readonly graphId: GraphId;
}

export interface Pasted {
  readonly document: Document;
  /** What was put in, to be selected. */
  readonly selection: Selection;
}

const STEP = 30;

export function copy(document: Document, graphId: GraphId, selection: Partial<Selection>): Clip {
  const graph = graphOf(document, graphId);
  const chosen = selection.nodes ?? new Set();
  const nodes = graph === null ? [] : [...graph.nodes.values()].filter((node) => chosen.has(node.id));
  const into = graph === null ? [] : nodes.flatMap((node) => linksInto(graph, node.id));
  const ids = new Set(nodes.map((node) => node.id));
  const used = new Set<GraphId>();
  for (const node of nodes) {
    const definition = document.subgraphs.get(node.type);
    if (definition === undefined) continue;
    for (const id of [definition.id, ...usedBy(document, definition)]) used.add(id);
  }
  return {
    nodes,
    links: into.filter((link) => ids.has(link.origin)),
    incoming: into.filter((link) => !ids.has(link.origin)),
    groups:
      graph === null ? [] : [...graph.groups.values()].filter((group) => selection.groups?.has(group.id) === true),
    subgraphs: [...used].flatMap((id) => document.subgraphs.get(id) ?? []),
    documentId: document.id,
    graphId,
  };
}

/**
 * Puts a clip in with its upper left corner at a place; null: a little below and right of where it was copied, or as
 * far away as `by` says.
 * `keepLinks` also wires it to what fed the original, where that is still there.
 */
export function paste(
  document: Document,
  graphId: GraphId,
  clip: Clip,
  at: Point | null,
  options: { readonly keepLinks?: boolean; readonly by?: Point } = {},
): Outcome<Pasted> {
  const renamed = withFreshDefinitions(document, clip);
  const ready = withDefinitions(document, renamed.subgraphs);
  const graph = graphOf(ready, graphId);
  if (graph === null || renamed.nodes.length + renamed.groups.length === 0) {
    return done({ document, selection: NOTHING_SELECTED });
  }
  if (renamed.nodes.some((node) => wouldContain(ready, node.type, graphId))) {
    return refused(reason("reason.contains_itself"));
  }
  const corner = cornerOf(renamed);
  const offset = at === null ? (options.by ?? { x: STEP, y: STEP }) : { x: at.x - corner.x, y: at.y - corner.y };
  const { after, selection } = pastedInto(
    graph,
    renamed,
    offset,
    options.keepLinks === true && isHome(document, graphId, clip),
  );
  return done({ document: settled(ready, after), selection });
}

/** Copies and pastes in one; the wires into the original are kept on wish. */
export function duplicate(
  document: Document,
  graphId: GraphId,
  selection: Partial<Selection>,
  options: { readonly keepLinks?: boolean; readonly at?: Point; readonly by?: Point } = {},
): Outcome<Pasted> {
  return paste(document, graphId, copy(document, graphId, selection), options.at ?? null, options);
}

function pastedInto(
  graph: Graph,
  clip: Clip,
  offset: Point,
  keepsLinks: boolean,
): { readonly after: Graph; readonly selection: Selection } {
  const ids = new Map<NodeId, NodeId>(clip.nodes.map((node, i) => [node.id, String(graph.lastNode + 1 + i)]));
  const nodes = new Map(graph.nodes);
  for (const node of clip.nodes) {
    const id = ids.get(node.id) ?? node.id;
    nodes.set(id, { ...node, id, x: node.x + offset.x, y: node.y + offset.y });
  }
  const groups = new Map(graph.groups);
  const newGroups = clip.groups.map((group, i) => {
    const id = String(graph.lastGroup + 1 + i);
    groups.set(id, { ...group, id, x: group.x + offset.x, y: group.y + offset.y });
    return id;
  });
  const incoming = keepsLinks ? clip.incoming.filter((link) => isOrigin(graph, link)) : [];
  const links = [...clip.links, ...incoming].map((link) => ({
    ...link,
    origin: ids.get(link.origin) ?? link.origin,
    target: ids.get(link.target) ?? link.target,
  }));
  const counters = { lastNode: graph.lastNode + clip.nodes.length, lastGroup: graph.lastGroup + clip.groups.length };
  return {
    after: withLinks({ ...graph, nodes, groups, ...counters }, links),
    selection: { nodes: new Set(ids.values()), links: new Set(), groups: new Set(newGroups) },
  };
}

function isHome(document: Document, graphId: GraphId, clip: Clip): boolean {
  return document.id === clip.documentId && graphId === clip.graphId;
}

function isOrigin(graph: Graph, link: Link): boolean {
  const outputs = graph.nodes.get(link.origin)?.outputs ?? (link.origin === INPUT_NODE ? graph.inputs : []);
  return link.originSlot < outputs.length;
}

function wouldContain(document: Document, definitionId: GraphId, graphId: GraphId): boolean {
  const definition = document.subgraphs.get(definitionId);
  if (definition === undefined) return false;
  return definitionId === graphId || usedBy(document, definition).has(graphId);
}

function withDefinitions(document: Document, definitions: readonly Graph[]): Document {
  const missing = definitions.filter((each) => !document.subgraphs.has(each.id));
  if (missing.length === 0) return document;
  return {
    ...document,
    subgraphs: new Map([...document.subgraphs, ...missing.map((each) => [each.id, each] as const)]),
  };
}

/**
 * The clip with new ids for sub-graphs that the document has under the same ids, but in a version of its own: they
 * come from another document. Inside one document the sub-graph as it is now counts.
 */
function withFreshDefinitions(document: Document, clip: Clip): Clip {
  const isForeign = clip.documentId !== document.id;
  const taken = clip.subgraphs.filter((each) => isForeign && isOther(document.subgraphs.get(each.id), each));
  if (taken.length === 0) return clip;
  const ids = new Map(clip.subgraphs.map((each) => [each.id, crypto.randomUUID()]));
  const renamed = (node: Node): Node => ({ ...node, type: ids.get(node.type) ?? node.type });
  return {
    ...clip,
    nodes: clip.nodes.map(renamed),
    subgraphs: clip.subgraphs.map((each) => ({
      ...each,
      id: ids.get(each.id) ?? each.id,
      nodes: new Map([...each.nodes].map(([id, node]) => [id, renamed(node)])),
    })),
  };
}

function isOther(here: Graph | undefined, there: Graph): boolean {
  return here !== undefined && here !== there;
}

function cornerOf(clip: Clip): Point {
  const box = boundsOf(clip.nodes);
  const xs = [...clip.groups.map((group) => group.x), ...(box === null ? [] : [box.x])];
  const ys = [...clip.groups.map((group) => group.y), ...(box === null ? [] : [box.y])];
  return { x: Math.min(...xs), y: Math.min(...ys) };
}
