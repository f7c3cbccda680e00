/**
 * Opens what is kept at a path, with the words that only this browser has: what was not written when its tab was
 * closed, or when the page went.
 */

import { done, type Outcome, reason, refused } from "@/graph/reason";

import type { Draft } from "./keeping_drafts";
import { placeOf } from "./keeping_names";
import type { KeptFile } from "./keeping_place";
import { setKeeping, touch, type WriterTools } from "./keeping_writer";
import { readWorkflow, withOwnId } from "./opening";
import { openTab, type TabId, useWorkbench } from "./workbench";

interface OpenOptions {
  readonly path: string;
  readonly name: string;
  /** Whether a person has made something in it: closing it asks first, where it has no name. */
  readonly isTouched: boolean;
}

/** `file` is what stands on the server; null: nothing. Returns: its tab, and what reading had to say. */
export async function openAt(
  { path, name, isTouched }: OpenOptions,
  file: KeptFile | null,
  { drafts }: WriterTools,
): Promise<Outcome<{ readonly id: TabId; readonly notes: readonly string[] }>> {
  const draft = await drafts.get(path).catch(() => null);
  const text = draft?.text ?? file?.text;
  if (text === undefined) return refused(reason("reason.not_on_server"));
  const read = readWorkflow(text, path);
  if (!read.ok) return read;
  const { notes } = read.value;
  const document = withOwnId(read.value.document);
  const isWritten = file !== null && text === file.text;
  const etag = file !== null && (isWritten || isOurs(file, draft)) ? file.etag : (draft?.etag ?? null);
  const id = openTab(document, name, {
    kept: file === null ? null : { path, etag },
    saved: isWritten ? document : null,
    notes,
  });
  if (isTouched) touch(id);
  if (file !== null && etag !== file.etag) setKeeping(id, "changed");
  if (isWritten) await drafts.remove(path).catch(() => undefined);
  if (file === null && draft !== null) await moveDraft(draft, id, drafts).catch(() => undefined);
  return done({ id, notes });
}

/** Whether the version on the server is one that we sent: its answer came when the page had gone. */
function isOurs(file: KeptFile, draft: Draft | null): boolean {
  return draft?.sent?.includes(file.text) === true;
}

/** The file is gone, and its workflow has no name any more: its words are kept where it will be written. */
async function moveDraft(draft: Draft, id: TabId, drafts: WriterTools["drafts"]): Promise<void> {
  const tab = useWorkbench.getState().tabs.find((each) => each.id === id);
  if (tab === undefined || placeOf(tab) === draft.path) return;
  await drafts.put({ ...draft, path: placeOf(tab), etag: null, sent: [] });
  await drafts.remove(draft.path);
}
