/** What is always true of a document that was only changed by edits. For tests; says what is broken, in English. */

import { feedsWidget } from "./create";
import { type Document, type Graph, INPUT_NODE, type Link, type Node, OUTPUT_NODE, ROOT } from "./document";
import { usedBy } from "./edits/mirror";
import type { NodeTypes } from "./node_type";
import { inputsOf } from "./widgets";

/** Every broken invariant; empty when all is well. With `types` also that each socket of a node's type has a slot. */
export function invariants(document: Document, types?: NodeTypes): readonly string[] {
  const graphs = [document.root, ...document.subgraphs.values()];
  return [
    ...graphs.flatMap((graph) => brokenIn(document, graph, types)),
    ...(document.root.id === ROOT ? [] : ["the root has another id than ROOT"]),
    ...[...document.subgraphs].filter(([id, graph]) => id !== graph.id).map(([id]) => `sub-graph ${id}: other id`),
    ...[...document.subgraphs.values()]
      .filter((graph) => usedBy(document, graph).has(graph.id))
      .map((graph) => `sub-graph ${graph.id} contains itself`),
  ];
}

function brokenIn(document: Document, graph: Graph, types: NodeTypes | undefined): readonly string[] {
  const where = graph.id === ROOT ? "root" : `sub-graph ${graph.id}`;
  return [
    ...brokenIds(graph),
    ...brokenLinks(graph),
    ...[...graph.nodes.values()].flatMap((node) => brokenNode(document, node, types)),
    ...brokenNames(graph.inputs),
    ...brokenNames(graph.outputs),
  ].map((text) => `${where}: ${text}`);
}

function brokenIds(graph: Graph): readonly string[] {
  const counted = [
    ["node", graph.nodes, graph.lastNode],
    ["link", graph.links, graph.lastLink],
    ["group", graph.groups, graph.lastGroup],
  ] as const;
  const broken: string[] = [];
  for (const [kind, things, last] of counted) {
    for (const [id, thing] of things) {
      if (thing.id !== id) broken.push(`${kind} ${id} says that it is ${thing.id}`);
      if (Number(id) > last) broken.push(`${kind} ${id} is beyond the counter ${last}`);
    }
  }
  for (const group of graph.groups.values()) {
    const isFinite = [group.x, group.y, group.width, group.height].every(Number.isFinite);
    if (!isFinite) broken.push(`group ${group.id} has no finite place`);
  }
  return broken;
}

function brokenLinks(graph: Graph): readonly string[] {
  const taken = new Map<string, string>();
  return [...graph.links.values()].flatMap((link) => {
    const broken = brokenEnds(graph, link);
    const place = `${link.target} ${link.targetSlot}`;
    const other = taken.get(place);
    if (other !== undefined) broken.push(`links ${other} and ${link.id} go into the same slot ${place}`);
    taken.set(place, link.id);
    return broken;
  });
}

function brokenEnds(graph: Graph, link: Link): string[] {
  const outputs = link.origin === INPUT_NODE ? graph.inputs : graph.nodes.get(link.origin)?.outputs;
  const inputs = link.target === OUTPUT_NODE ? graph.outputs : graph.nodes.get(link.target)?.inputs;
  const broken: string[] = [];
  if (outputs?.[link.originSlot] === undefined) broken.push(`link ${link.id} begins at no slot`);
  if (inputs?.[link.targetSlot] === undefined) broken.push(`link ${link.id} ends at no slot`);
  return broken;
}

function brokenNode(document: Document, node: Node, types: NodeTypes | undefined): readonly string[] {
  const broken: string[] = [];
  if (![node.x, node.y, node.width, node.height].every(Number.isFinite)) {
    broken.push(`node ${node.id} has no finite place`);
  }
  const definition = document.subgraphs.get(node.type);
  if (definition !== undefined) return [...broken, ...brokenMirror(node, definition)];
  const type = types?.get(node.type);
  if (type === undefined) return broken;
  const names = new Set(node.inputs.map((slot) => slot.name));
  const wanted = inputsOf(type, node.values, node.inputs);
  for (const input of wanted) {
    const slot = node.inputs.find((each) => each.name === input.name);
    if (!names.has(input.name) && !(input.name in node.values)) {
      broken.push(`node ${node.id}: ${input.name} has neither a slot nor a value`);
    }
    if (slot?.isWidget === true && !(input.name in node.values)) {
      broken.push(`node ${node.id}: ${input.name} is a widget without a value`);
    }
  }
  return broken;
}

function brokenMirror(node: Node, definition: Graph): readonly string[] {
  const slots = node.inputs.map((slot) => `${slot.name}:${slot.type}:${slot.isWidget}`).join(",");
  const ports = definition.inputs.map((port) => `${port.name}:${port.type}:${feedsWidget(definition, port)}`).join(",");
  const outputs = node.outputs.map((slot) => `${slot.name}:${slot.type}`).join(",");
  const exits = definition.outputs.map((port) => `${port.name}:${port.type}`).join(",");
  const broken: string[] = [];
  if (slots !== ports) broken.push(`instance ${node.id} has inputs ${slots}, its definition ${ports}`);
  if (outputs !== exits) broken.push(`instance ${node.id} has outputs ${outputs}, its definition ${exits}`);
  return broken;
}

function brokenNames(ports: Graph["inputs"]): readonly string[] {
  const names = new Set(ports.map((port) => port.name));
  return names.size === ports.length ? [] : ["two ports have the same name"];
}
