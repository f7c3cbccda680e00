/** Workflows that tests drop on the editor: those that it ships with, with other values. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const SHIPPED = resolve(import.meta.dirname, "../../../workflows");

export interface FileNode {
  readonly id: number;
  readonly type: string;
  readonly inputs: { readonly name: string; link: number | null }[];
  readonly outputs: { readonly links: number[] }[];
  widgets_values: unknown[];
  mode: number;
}

export interface File {
  readonly nodes: FileNode[];
  links: (readonly [number, number, number, number, number, string])[];
}

export interface Wishes {
  readonly steps?: number;
  readonly seed?: number;
  readonly control?: "fixed" | "increment" | "decrement" | "randomize";
  readonly checkpoint?: string;
  readonly text?: string;
  /** What else is to be changed. */
  readonly change?: (file: File) => void;
}

/** Text to image, seven nodes, as people have it in a file. */
export function textToImage(wishes: Wishes = {}): Buffer {
  const file = JSON.parse(readFileSync(resolve(SHIPPED, "text_to_image.editor.json"), "utf-8")) as File;
  const { steps = 4, seed = 1, control = "fixed", checkpoint, text, change } = wishes;
  const sampler = nodeOf(file, "KSampler");
  sampler.widgets_values = [seed, control, steps, ...sampler.widgets_values.slice(3)];
  if (checkpoint !== undefined) nodeOf(file, "CheckpointLoaderSimple").widgets_values = [checkpoint];
  if (text !== undefined) nodeOf(file, "CLIPTextEncode").widgets_values = [text];
  change?.(file);
  return Buffer.from(JSON.stringify(file));
}

/** Takes the wire away that goes into an input. */
export function cut(file: File, type: string, input: string): void {
  const slot = nodeOf(file, type).inputs.find((each) => each.name === input);
  if (slot === undefined) throw new Error(`${type} has no ${input}`);
  const { link } = slot;
  slot.link = null;
  file.links = file.links.filter(([id]) => id !== link);
}

/** 2: muted; 4: bypassed. */
export function setMode(file: File, type: string, mode: number): void {
  nodeOf(file, type).mode = mode;
}

/** Adds a second output: what is decoded is shown too. */
export function addPreview(file: File): void {
  const decode = nodeOf(file, "VAEDecode");
  decode.outputs[0]?.links.push(10);
  file.links.push([10, decode.id, 0, 10, 0, "IMAGE"]);
  const rest = { pos: [1220, 600], size: [320, 300], flags: {}, order: 7, mode: 0, properties: {}, widgets_values: [] };
  const inputs = [{ name: "images", type: "IMAGE", link: 10 }];
  file.nodes.push({ id: 10, type: "PreviewImage", inputs, outputs: [], ...rest });
}

/** A picture of the input folder, loaded and shown: two nodes, in the API's format. */
export function showPicture(name: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      1: { class_type: "LoadImage", inputs: { image: name } },
      2: { class_type: "PreviewImage", inputs: { images: ["1", 0] } },
    }),
  );
}

export function shippedPicture(): Buffer {
  return readFileSync(resolve(SHIPPED, "latentwire_fox.png"));
}

function nodeOf(file: File, type: string): FileNode {
  const node = file.nodes.find((each) => each.type === type);
  if (node === undefined) throw new Error(`no ${type} in this workflow`);
  return node;
}
