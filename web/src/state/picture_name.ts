/** A loaded picture as a widget's value names it: "folder/name.png [input]". No DOM. */

import type { Picture } from "./run";

/** Returns: null for what names no file. Without a place in brackets it is in the input folder. */
export function pictureNamed(value: unknown): Picture | null {
  if (typeof value !== "string") return null;
  const [, name = "", place] = /^(.*?)(?: \[(input|output|temp)\])?$/.exec(value.trim()) ?? [];
  const cut = name.lastIndexOf("/");
  const filename = name.slice(cut + 1);
  if (filename === "") return null;
  const type = place === "output" || place === "temp" ? place : "input";
  return { filename, subfolder: name.slice(0, Math.max(0, cut)), type };
}

export function nameOf({ filename, subfolder, type }: Picture): string {
  return `${subfolder === "" ? "" : `${subfolder}/`}${filename} [${type}]`;
}
