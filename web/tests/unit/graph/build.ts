/** Small graphs to test with, built by the edits themselves. */

import {
  type Document,
  emptyDocument,
  type Graph,
  type GraphId,
  graphOf,
  type Node,
  type NodeId,
  ROOT,
} from "@/graph/document";
import { connect } from "@/graph/edits/links";
import { addNode } from "@/graph/edits/nodes";
import type { InputEnd } from "@/graph/links";
import type { Outcome } from "@/graph/reason";

import { TYPES } from "./node_types";

/** What an edit gave, where it must not be refused. */
export function value<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(`refused: ${JSON.stringify(outcome.reason)}`);
  return outcome.value;
}

export function codeOf(outcome: Outcome<unknown>): string | null {
  return outcome.ok ? null : outcome.reason.code;
}

/** A document with nodes of these types, whose ids are "1", "2" … */
export function withNodes(...types: readonly string[]): Document {
  return types.reduce(
    (document, type, i) =>
      addNode(document, ROOT, TYPES, type, { x: 300 * i, y: 0 }, { title: `${type} ${i + 1}` }).document,
    emptyDocument("test"),
  );
}

export function graph(document: Document, id: GraphId = ROOT): Graph {
  const found = graphOf(document, id);
  if (found === null) throw new Error(`no graph ${id}`);
  return found;
}

export function node(document: Document, id: NodeId, graphId: GraphId = ROOT): Node {
  const found = graph(document, graphId).nodes.get(id);
  if (found === undefined) throw new Error(`no node ${id}`);
  return found;
}

/** The end of an input by its name: its slot, or its widget. */
export function into(document: Document, id: NodeId, name: string, graphId: GraphId = ROOT): InputEnd {
  const slot = node(document, id, graphId).inputs.findIndex((each) => each.name === name);
  return slot < 0 ? { node: id, widget: name } : { node: id, slot };
}

/** Wires output `slot` of one node to the named input of another. */
export function wire(
  document: Document,
  from: NodeId,
  slot: number,
  to: NodeId,
  name: string,
  graphId = ROOT,
): Document {
  return value(connect(document, graphId, TYPES, { node: from, slot }, into(document, to, name, graphId)));
}

/** checkpoint 1, prompts 2 and 3, latent 4, sampler 5, decoder 6, saver 7: the picture everyone begins with. */
export function textToImage(): Document {
  let document = withNodes(
    "CheckpointLoaderSimple",
    "CLIPTextEncode",
    "CLIPTextEncode",
    "EmptyLatentImage",
    "KSampler",
    "VAEDecode",
    "SaveImage",
  );
  document = wire(document, "1", 0, "5", "model");
  document = wire(document, "1", 1, "2", "clip");
  document = wire(document, "1", 1, "3", "clip");
  document = wire(document, "2", 0, "5", "positive");
  document = wire(document, "3", 0, "5", "negative");
  document = wire(document, "4", 0, "5", "latent_image");
  document = wire(document, "5", 0, "6", "samples");
  document = wire(document, "1", 2, "6", "vae");
  return wire(document, "6", 0, "7", "images");
}
