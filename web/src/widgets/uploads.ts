/** Files that people give to widgets: what is on its way. */

import { create } from "zustand";

import { uploadImage } from "@/api/client";
import { t } from "@/texts/index";
import { noteFile } from "@/state/new_files";
import { toast } from "@/state/toasts";

import { give, type Target } from "./target";

interface Uploads {
  /** The files on their way, by the widget that waits for them. */
  readonly waiting: ReadonlyMap<string, string>;
}

const useUploads = create<Uploads>()(() => ({ waiting: new Map() }));

/** The name of the file that a widget waits for; null: none. */
export function useWaiting(target: Target): string | null {
  return useUploads((state) => state.waiting.get(keyOf(target)) ?? null);
}

/** Uploads a file into the input folder and has the widget hold it. What goes wrong is told as a message. */
export async function upload(target: Target, file: File, subfolder = ""): Promise<void> {
  wait(target, file.name);
  try {
    const { name, subfolder: folder } = await uploadImage(file, file.name, subfolder === "" ? {} : { subfolder });
    const path = folder === "" ? name : `${folder}/${name}`;
    noteFile(path);
    give(target, path);
  } catch (error) {
    const detail = error instanceof Error ? error.message : "";
    toast("error", t("widget.upload_failed", { name: file.name }), { detail });
  } finally {
    wait(target, null);
  }
}

/** Whether a file is one that a file dialog with this `accept` would offer. */
export function isAccepted(file: File, accept: string): boolean {
  if (accept === "") return true;
  return accept.split(",").some((each) => {
    if (each.startsWith(".")) return file.name.toLowerCase().endsWith(each);
    return each.endsWith("/*") ? file.type.startsWith(each.slice(0, -1)) : file.type === each;
  });
}

function wait(target: Target, name: string | null): void {
  useUploads.setState(({ waiting }) => {
    const next = new Map(waiting);
    if (name === null) next.delete(keyOf(target));
    else next.set(keyOf(target), name);
    return { waiting: next };
  });
}

function keyOf({ documentId, graphId, nodeId, name }: Target): string {
  return [documentId, graphId, nodeId, name].join("/");
}
