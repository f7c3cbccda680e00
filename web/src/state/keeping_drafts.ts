/**
 * What could not be written to the server yet, kept in this browser (IndexedDB: workflows can have 20 MB, more than
 * localStorage holds).
 */

export interface Draft {
  /** Where it will be written; also its key. */
  readonly path: string;
  /** The version it was made from, `Kept.etag`. */
  readonly etag: string | null;
  readonly name: string;
  readonly text: string;
  /** Texts that were sent before and not answered: the server may have one of them. */
  readonly sent?: readonly string[];
}

export interface Drafts {
  readonly put: (draft: Draft) => Promise<void>;
  readonly get: (path: string) => Promise<Draft | null>;
  readonly remove: (path: string) => Promise<void>;
}

const STORE = "drafts";

/** Without IndexedDB (a private window may forbid it) nothing is kept here; the server still has all it was given. */
export function browserDrafts(): Drafts {
  let opened: Promise<IDBDatabase | null> | null = null;
  const database = (): Promise<IDBDatabase | null> => (opened ??= open());
  const ask = async <T>(
    mode: IDBTransactionMode,
    what: (store: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T | null> => {
    const db = await database();
    return db === null ? null : answer(what(db.transaction(STORE, mode).objectStore(STORE)));
  };
  return {
    put: async (draft) => void (await ask("readwrite", (store) => store.put(draft))),
    get: async (path) => (await ask("readonly", (store) => store.get(path) as IDBRequest<Draft | undefined>)) ?? null,
    remove: async (path) => void (await ask("readwrite", (store) => store.delete(path))),
  };
}

async function open(): Promise<IDBDatabase | null> {
  try {
    const request = indexedDB.open("latentwire", 1);
    request.addEventListener("upgradeneeded", () => request.result.createObjectStore(STORE, { keyPath: "path" }));
    return await answer(request);
  } catch {
    return null;
  }
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error ?? new Error("IndexedDB refused")));
  });
}
