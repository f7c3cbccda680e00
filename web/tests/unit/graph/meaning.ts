/**
 * What a document means, whatever it looks like: for each node that runs, by its title, what each input gets. Titles
 * are unique where documents are built by random edits without copying.
 */

import { type Document, type Node } from "@/graph/document";
import { DRAWN_KINDS } from "@/graph/create";
import { linkInto } from "@/graph/links";
import type { NodeTypes } from "@/graph/node_type";
import { type Scope, Tracer } from "@/graph/trace";
import { inputsOf } from "@/graph/widgets";

export function meaningOf(document: Document, types: NodeTypes): Readonly<Record<string, string>> {
  const tracer = new Tracer(document);
  const found: Record<string, string> = {};
  const waiting: Scope[] = [tracer.root];
  for (let scope = waiting.pop(); scope !== undefined; scope = waiting.pop()) {
    for (const node of scope.graph.nodes.values()) {
      const inside = tracer.inside(scope, node);
      if (inside !== null) waiting.push(inside);
      else if (!DRAWN_KINDS.has(node.type)) found[nameOf(node)] = inputsText(tracer, scope, node, types);
    }
  }
  return found;
}

function inputsText(tracer: Tracer, scope: Scope, node: Node, types: NodeTypes): string {
  const type = types.get(node.type);
  if (type === undefined) return "";
  return inputsOf(type, node.values, node.inputs)
    .map((input) => {
      const slot = node.inputs.findIndex((each) => each.name === input.name);
      const own = String(node.values[input.name]);
      if (slot < 0 || linkInto(scope.graph, node.id, slot) === null) return `${input.name}=${own}`;
      const source = tracer.trace(scope, node, slot);
      if (source === null) return `${input.name}=${own}`;
      return `${input.name}=${source.kind === "value" ? String(source.value) : `${nameOf(source.node)}#${source.slot}`}`;
    })
    .join("; ");
}

function nameOf(node: Node): string {
  return node.title ?? `${node.type} ${node.x} ${node.y}`;
}
