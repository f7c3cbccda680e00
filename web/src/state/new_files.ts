/** Files that this window has put on the server since the node types were read: they are choices too. No DOM. */

import { create } from "zustand";

interface NewFiles {
  /** By the name that a widget's value has, the newest first; and how often each was put there. */
  readonly times: ReadonlyMap<string, number>;
}

export const useNewFiles = create<NewFiles>()(() => ({ times: new Map() }));

/** Says that a file is on the server now: "name.png", "folder/name.png", or with its place, "folder/name.png [input]". */
export function noteFile(name: string): void {
  useNewFiles.setState(({ times }) => {
    const others = [...times].filter(([each]) => each !== name);
    return { times: new Map([[name, (times.get(name) ?? 0) + 1], ...others]) };
  });
}

/** Whether a value names its file with its place: no list of choices has such names, and only the server knows. */
export function isPlaced(value: unknown): value is string {
  return typeof value === "string" && / \[(?:input|output|temp)\]$/.test(value);
}
