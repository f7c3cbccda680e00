/**
 * Undo and redo: the documents before and after this one. They share everything that did not change between them.
 */

import type { Document } from "./document";

export interface History {
  readonly past: readonly Step[];
  readonly present: Document;
  readonly future: readonly Step[];
}

/** A document left behind, and what was done to get from it to the next (a key of `texts`, "edit.move"). */
interface Step {
  readonly document: Document;
  readonly edit: string;
  /** Edits in a row with the same merge key are one step: a drag, a word being typed. */
  readonly merge: string | null;
}

const MAX_STEPS = 500;

export function begin(document: Document): History {
  return { past: [], present: document, future: [] };
}

/** The history with one more edit; unchanged when the document is the same. */
export function record(history: History, document: Document, edit: string, merge: string | null = null): History {
  if (document === history.present) return history;
  const last = history.past.at(-1);
  const isOngoing = merge !== null && last?.merge === merge && history.future.length === 0;
  const past = isOngoing ? history.past : [...history.past, { document: history.present, edit, merge }];
  return { past: past.slice(-MAX_STEPS), present: document, future: [] };
}

/** The history with all its documents under another id. */
export function withId(history: History, id: string): History {
  const changed = (step: Step): Step => ({ ...step, document: { ...step.document, id } });
  return {
    past: history.past.map(changed),
    present: { ...history.present, id },
    future: history.future.map(changed),
  };
}

/** Ends a merge: the next edit is a step of its own. */
export function settle(history: History): History {
  const last = history.past.at(-1);
  if (last === undefined || last.merge === null) return history;
  return { ...history, past: [...history.past.slice(0, -1), { ...last, merge: null }] };
}

export function undo(history: History): History {
  const last = history.past.at(-1);
  if (last === undefined) return history;
  const step = { document: history.present, edit: last.edit, merge: null };
  return { past: history.past.slice(0, -1), present: last.document, future: [step, ...history.future] };
}

export function redo(history: History): History {
  const [next, ...future] = history.future;
  if (next === undefined) return history;
  const step = { document: history.present, edit: next.edit, merge: null };
  return { past: [...history.past, step], present: next.document, future };
}
