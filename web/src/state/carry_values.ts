/** Brings the values that runs have taken on into a document that was edited meanwhile. Pure. */

import { type Document, type Graph, type Node, withGraph } from "@/graph/document";
import { sameValue } from "@/graph/value";

/** `current` with what changed from `before` to `after`, where nobody has changed it since. */
export function carryValues(current: Document, before: Document, after: Document): Document {
  if (current === before) return after;
  let result = current;
  for (const graph of [current.root, ...current.subgraphs.values()]) {
    const [old, fresh] = [graphIn(before, graph), graphIn(after, graph)];
    if (old !== undefined && fresh !== undefined && old !== fresh)
      result = withGraph(result, carryInto(graph, old, fresh));
  }
  return result;
}

function carryInto(graph: Graph, before: Graph, after: Graph): Graph {
  const nodes = new Map(graph.nodes);
  let isChanged = false;
  for (const [id, node] of graph.nodes) {
    const [old, fresh] = [before.nodes.get(id), after.nodes.get(id)];
    if (old === undefined || fresh === undefined || old === fresh) continue;
    const values = carried(node.values, old.values, fresh.values);
    if (values === node.values) continue;
    nodes.set(id, { ...node, values });
    isChanged = true;
  }
  return isChanged ? { ...graph, nodes } : graph;
}

function carried(current: Node["values"], before: Node["values"], after: Node["values"]): Node["values"] {
  let values = current;
  for (const [name, fresh] of Object.entries(after)) {
    const [old, now] = [before[name], current[name]];
    if (old === undefined || now === undefined || sameValue(old, fresh) || !sameValue(old, now)) continue;
    values = { ...values, [name]: fresh };
  }
  return values;
}

function graphIn(document: Document, { id }: Graph): Graph | undefined {
  return id === document.root.id ? document.root : document.subgraphs.get(id);
}
