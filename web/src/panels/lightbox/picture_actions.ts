/** What one can do with a picture that was drawn, wherever it is shown: gallery, lightbox, queue. */

import { ask, viewUrl } from "@/api/client";
import { newNode } from "@/graph/create";
import type { Document, Graph, GraphId, Node } from "@/graph/document";
import { changeNode, inGraph, nextNodeId, patched, withNode } from "@/graph/edits/graph_change";
import { nodeTypes } from "@/state/node_types";
import { busyWith, openContent } from "@/state/opening";
import type { Picture } from "@/state/run";
import { toast } from "@/state/toasts";
import { activeTab, editGraph, select, shownGraph, type Tab } from "@/state/workbench";
import { t } from "@/texts/index";

import { nameOf } from "@/state/picture_name";
import { fileRoute } from "./use_measured";

const LOAD_IMAGE = "LoadImage";
const IMAGE = "image";

/** Opens the workflow that a picture was drawn with as a new tab. Returns: whether there was one. */
export async function openWorkflowOf(picture: Picture): Promise<boolean> {
  const bytes = await busyWith(picture.filename, 0, () => bytesOf(picture));
  return bytes !== null && openContent(bytes, picture.filename) !== null;
}

/** Into the Load Image node that is selected; else into a new one in the middle of what is seen. One undoable edit. */
export function loadAsInput(picture: Picture): void {
  const tab = activeTab();
  if (tab === null) return;
  const value = nameOf(picture);
  const chosen = selectedLoader(tab);
  const made = chosen ?? nextNodeId(shownGraph(tab));
  editGraph("edit.use_as_input", (document, graph) =>
    chosen === null
      ? withLoader(document, graph, value, middleOf(tab))
      : inGraph(document, graph, (each) => changeNode(each, chosen, (node) => loading(node, value))),
  );
  select({ nodes: new Set([made]) });
  toast("success", t(chosen === null ? "picture.input_added" : "picture.input_set", { name: picture.filename }));
}

export function downloadPicture(picture: Picture): void {
  const link = document.createElement("a");
  link.href = viewUrl(picture);
  link.download = picture.filename;
  link.click();
}

export async function copyPicture(picture: Picture): Promise<void> {
  try {
    const png = pngOf(picture);
    await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
    toast("success", t("picture.copied"));
  } catch {
    toast("error", t("picture.not_copied"));
  }
}

export async function copyPath(picture: Picture): Promise<void> {
  try {
    await navigator.clipboard.writeText(pathOf(picture));
    toast("success", t("picture.path_copied"), { detail: pathOf(picture) });
  } catch {
    toast("error", t("picture.not_copied"), { detail: pathOf(picture) });
  }
}

/** Where the file lies below the server's folders: "output/portraits/a.png". */
function pathOf({ type, subfolder, filename }: Picture): string {
  return [type, ...(subfolder === "" ? [] : [subfolder]), filename].join("/");
}

async function bytesOf(picture: Picture): Promise<Uint8Array | null> {
  try {
    const answer = await ask(fileRoute(picture));
    if (answer.ok) return new Uint8Array(await answer.arrayBuffer());
    toast("error", t("picture.gone", { name: picture.filename }));
  } catch {
    toast("error", t("picture.not_fetched", { name: picture.filename }));
  }
  return null;
}

/** Clipboards take PNG only; others are drawn into one. */
async function pngOf(picture: Picture): Promise<Blob> {
  const file = await (await ask(fileRoute(picture))).blob();
  if (file.type === "image/png") return file;
  const bitmap = await createImageBitmap(file);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/png" });
}

function selectedLoader(tab: Tab): string | null {
  const [id, ...others] = tab.selection.nodes;
  const node = id === undefined ? undefined : shownGraph(tab).nodes.get(id);
  return node !== undefined && others.length === 0 && node.type === LOAD_IMAGE ? node.id : null;
}

function withLoader(document: Document, id: GraphId, value: string, at: { x: number; y: number }): Document {
  return inGraph(document, id, (graph: Graph) =>
    withNode(graph, loading(newNode(nodeTypes(), LOAD_IMAGE, nextNodeId(graph), at), value)),
  );
}

function loading(node: Node, value: string): Node {
  return node.values[IMAGE] === value ? node : patched(node, { values: { ...node.values, [IMAGE]: value } });
}

/** In the graph's coordinates; the canvas fills the window but for its edges. */
function middleOf(tab: Tab): { x: number; y: number } {
  const { x, y, zoom } = tab.viewports.get(shownGraph(tab).id) ?? { x: 0, y: 0, zoom: 1 };
  return {
    x: Math.round((window.innerWidth * 0.45 - x) / zoom - 140),
    y: Math.round((window.innerHeight * 0.4 - y) / zoom - 100),
  };
}
