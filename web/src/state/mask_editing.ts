/** Whose picture the mask editor has open, and how the painted one comes back to its node. */

import { create } from "zustand";

import { type Document, graphAt, type NodeId, type Path } from "@/graph/document";
import { changeNode, inGraph, patched } from "@/graph/edits/graph_change";

import { nodeTypes } from "./node_types";
import { nameOf, pictureNamed } from "./picture_name";
import type { Picture } from "./run";
import { edit, shownGraph, type Tab, tabOfDocument } from "./workbench";

/** The widget that names the picture: `input` of a node in the graph that `path` leads to. */
export interface MaskTarget {
  readonly documentId: string;
  readonly path: Path;
  readonly node: NodeId;
  readonly input: string;
}

export const useMaskEditing = create<{ readonly target: MaskTarget | null }>()(() => ({ target: null }));

export function openMaskEditor(target: MaskTarget): void {
  if (pictureOf(target) !== null) useMaskEditing.setState({ target });
}

export function closeMaskEditor(): void {
  useMaskEditing.setState({ target: null });
}

/** Where a node of the shown graph names a picture that can be painted on; null when it names none. */
export function maskTarget(tab: Tab, id: NodeId): MaskTarget | null {
  const node = shownGraph(tab).nodes.get(id);
  const inputs = node === undefined ? [] : (nodeTypes().get(node.type)?.inputs ?? []);
  const input = inputs.find((each) => each.options["image_upload"] === true);
  if (input === undefined) return null;
  const target = { documentId: tab.history.present.id, path: tab.path, node: id, input: input.name };
  return pictureOf(target) === null ? null : target;
}

/** The picture that is loaded there; null when there is none, or no such node (any more). */
export function pictureOf({ documentId, path, node, input }: MaskTarget): Picture | null {
  const document = tabOfDocument(documentId)?.history.present;
  const graph = document === undefined ? null : graphAt(document, path);
  return pictureNamed(graph?.nodes.get(node)?.values[input]);
}

/** Loads another picture there: one undoable edit. Returns: whether the node is still there. */
export function loadMasked(target: MaskTarget, picture: Picture): boolean {
  const tab = tabOfDocument(target.documentId);
  if (tab === null || pictureOf(target) === null) return false;
  edit("edit.mask", (document) => withValue(document, target, nameOf(picture)), { tab: tab.id });
  return true;
}

function withValue(document: Document, { path, node, input }: MaskTarget, value: string): Document {
  const graph = graphAt(document, path);
  if (graph === null) return document;
  return inGraph(document, graph.id, (each) =>
    changeNode(each, node, (found) => patched(found, { values: { ...found.values, [input]: value } })),
  );
}
