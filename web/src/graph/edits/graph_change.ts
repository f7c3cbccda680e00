/** The small steps that edits are made of. Each gives the same thing back when nothing changes. */

import {
  type Document,
  type Graph,
  type GraphId,
  graphOf,
  type Link,
  type Node,
  type NodeId,
  withGraph,
} from "../document";

/** The document with one graph changed; the same document when there is no such graph or nothing changed. */
export function inGraph(document: Document, graphId: GraphId, change: (graph: Graph) => Graph): Document {
  const graph = graphOf(document, graphId);
  if (graph === null) return document;
  const changed = change(graph);
  return changed === graph ? document : withGraph(document, changed);
}

/** The graph with some nodes changed. A change that returns the same node is none. */
export function changeNodes(graph: Graph, ids: Iterable<NodeId>, change: (node: Node) => Node): Graph {
  let nodes: Map<NodeId, Node> | null = null;
  for (const id of ids) {
    const before = (nodes ?? graph.nodes).get(id);
    const after = before === undefined ? undefined : change(before);
    if (after === undefined || after === before) continue;
    nodes ??= new Map(graph.nodes);
    nodes.set(id, after);
  }
  return nodes === null ? graph : { ...graph, nodes };
}

export function changeNode(graph: Graph, id: NodeId, change: (node: Node) => Node): Graph {
  return changeNodes(graph, [id], change);
}

/** The node with some fields set; the same node when they are what they were. */
export function patched(node: Node, fields: Partial<Node>): Node {
  const keys = Object.keys(fields) as (keyof Node)[];
  return keys.every((key) => Object.is(node[key], fields[key])) ? node : { ...node, ...fields };
}

/** The id for the next node of a graph. */
export function nextNodeId(graph: Graph): NodeId {
  return String(graph.lastNode + 1);
}

/** The graph with a node added, whose id was made by `nextNodeId`. */
export function withNode(graph: Graph, node: Node): Graph {
  const lastNode = Math.max(graph.lastNode, Number(node.id));
  return { ...graph, nodes: new Map(graph.nodes).set(node.id, node), lastNode };
}

/** The graph with links added; each gets the next id. */
export function withLinks(graph: Graph, added: readonly Omit<Link, "id">[]): Graph {
  if (added.length === 0) return graph;
  const links = new Map(graph.links);
  let lastLink = graph.lastLink;
  for (const each of added) {
    lastLink += 1;
    links.set(String(lastLink), { ...each, id: String(lastLink) });
  }
  return { ...graph, links, lastLink };
}

/** The graph with each link kept, changed, or (null) taken out. */
export function mapLinks(graph: Graph, change: (link: Link) => Link | null): Graph {
  const links = new Map<string, Link>();
  let isChanged = false;
  for (const [id, link] of graph.links) {
    const after = change(link);
    isChanged ||= after !== link;
    if (after !== null) links.set(id, after);
  }
  return isChanged ? { ...graph, links } : graph;
}
