/** A server's user data and a browser's storage as maps, with the rules of the real ones. */

import type { Draft, Drafts } from "@/state/keeping_drafts";
import type { Place, Written } from "@/state/keeping_place";

export interface Shelf extends Place {
  readonly files: Map<string, { text: string; etag: string }>;
  /** "away": nothing answers; "deaf": it does what it is asked, but the answer gets lost. */
  state: "up" | "away" | "deaf";
  writes: number;
}

export function shelf(): Shelf {
  let version = 0;
  const files: Shelf["files"] = new Map();
  const put = (path: string, text: string): Written => {
    version += 1;
    files.set(path, { text, etag: `"${version}"` });
    return { kind: "written", etag: `"${version}"` };
  };
  const made: Shelf = {
    files,
    state: "up",
    writes: 0,
    read: async (path) => (made.state === "up" ? (files.get(path) ?? null) : "away"),
    write: async (path, text, { over }) => {
      if (made.state === "away") return { kind: "away" };
      made.writes += 1;
      const there = files.get(path)?.etag ?? null;
      const isRefused = over === null ? there !== null : over !== "any" && over !== there;
      const result: Written = isRefused ? { kind: "conflict" } : put(path, text);
      return made.state === "deaf" ? { kind: "away" } : result;
    },
    remove: async (path) => files.delete(path),
    move: async (path, to) => {
      const file = files.get(path);
      if (file === undefined) return { kind: "refused", message: "no such file" };
      if (files.has(to)) return { kind: "conflict" };
      files.delete(path);
      return put(to, file.text);
    },
    list: async (folder) =>
      [...files.keys()].filter((path) => path.startsWith(folder)).map((path) => ({ path, size: 1, modified: 1 })),
  };
  return made;
}

export function drawer(): Drafts & { readonly held: Map<string, Draft> } {
  const held = new Map<string, Draft>();
  return {
    held,
    put: async (draft) => void held.set(draft.path, draft),
    get: async (path) => held.get(path) ?? null,
    remove: async (path) => void held.delete(path),
  };
}
