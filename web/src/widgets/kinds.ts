/** Which widget an input gets. */

import { MARKDOWN_NOTE, type Node } from "@/graph/document";
import type { InputType } from "@/graph/node_type";
import { kindOf } from "@/graph/widgets";

import { barOf } from "./numbers";

type Kind =
  "number" | "slider" | "line" | "area" | "markdown" | "choice" | "choices" | "file" | "toggle" | "color" | "raw";

const UPLOADS: readonly (readonly [string, string])[] = [
  ["image_upload", "image/*"],
  ["animated_image_upload", "image/*"],
  ["video_upload", "video/*"],
  ["audio_upload", "audio/*"],
  ["mesh_upload", ".glb,.gltf,.obj,.fbx,.stl,.ply"],
  ["file_upload", ""],
];

export function kindOfWidget(node: Node, input: InputType): Kind {
  switch (kindOf(input)) {
    case "INT":
    case "FLOAT":
      return input.options["display"] === "slider" && barOf(input) !== null ? "slider" : "number";
    case "STRING":
    case "MARKDOWN":
      if (node.type === MARKDOWN_NOTE) return "markdown";
      return input.options["multiline"] === true || kindOf(input) === "MARKDOWN" ? "area" : "line";
    case "BOOLEAN":
      return "toggle";
    case "COLOR":
      return "color";
    case "COMBO":
      if (isMultiple(input)) return "choices";
      return acceptOf(input) === null ? "choice" : "file";
    default:
      return "raw";
  }
}

/** Whether several may be chosen at once. */
function isMultiple(input: InputType): boolean {
  return Boolean(input.options["multi_select"] ?? input.options["multiselect"] ?? false);
}

/** Which files may be uploaded for a choice, as a file dialog's `accept`; null: none. */
export function acceptOf(input: InputType): string | null {
  return UPLOADS.find(([option]) => input.options[option] === true)?.[1] ?? null;
}
