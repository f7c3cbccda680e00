/** What nodes show after they ran, out of the `ui` part of their results. Pure. */

import type { NodeOutput, Picture } from "./run";

const PLACES = new Set(["output", "input", "temp"]);

/** Any list of files is pictures, any list of texts is texts: authors choose the keys ("images", "gifs", "text" …). */
export function readOutput(ui: Readonly<Record<string, unknown>>): NodeOutput {
  const items = Object.values(ui).flatMap((each): unknown[] => (Array.isArray(each) ? each : []));
  const animated = ui["animated"];
  return {
    pictures: items.flatMap((each) => pictureIn(each) ?? []),
    texts: items.filter((each) => typeof each === "string"),
    isAnimated: animated === true || (Array.isArray(animated) && animated.includes(true)),
  };
}

/** A file as `/view` finds it; null for anything else. */
export function pictureIn(value: unknown): Picture | null {
  if (typeof value !== "object" || value === null) return null;
  const { filename, subfolder, type } = value as Readonly<Record<string, unknown>>;
  if (typeof filename !== "string" || filename === "") return null;
  return {
    filename,
    subfolder: typeof subfolder === "string" ? subfolder : "",
    type: typeof type === "string" && PLACES.has(type) ? (type as Picture["type"]) : "output",
  };
}

export function isSameOutput(one: NodeOutput, other: NodeOutput): boolean {
  return (
    one.isAnimated === other.isAnimated &&
    one.texts.length === other.texts.length &&
    one.texts.every((each, i) => each === other.texts[i]) &&
    one.pictures.length === other.pictures.length &&
    one.pictures.every((each, i) => isSamePicture(each, other.pictures[i]))
  );
}

function isSamePicture(one: Picture, other: Picture | undefined): boolean {
  return one.filename === other?.filename && one.subfolder === other.subfolder && one.type === other.type;
}
