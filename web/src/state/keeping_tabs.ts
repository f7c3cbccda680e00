/**
 * Which workflows are open, remembered for the next time.
 *
 * In the browser and not on the server: what is open is a matter of this window, it must be known when the server is
 * away, and it changes with every click on a tab. A window that is loaded again finds its own list (sessionStorage);
 * a new one begins with the list of the window used last (localStorage).
 */

export interface OpenTab {
  readonly path: string;
  readonly name: string;
  /** Whether it was changed since it was opened: closing it asks first. */
  readonly isTouched: boolean;
}

interface OpenTabs {
  readonly tabs: readonly OpenTab[];
  readonly active: number;
}

const KEY = "latentwire.tabs";

/** The list of last time; null when the editor was never here. */
export function recall(stores: readonly Storage[]): OpenTabs | null {
  for (const store of stores) {
    try {
      const known: unknown = JSON.parse(store.getItem(KEY) ?? "null");
      if (isOpenTabs(known)) return known;
    } catch {
      // Not ours, or broken: as if there were none.
    }
  }
  return null;
}

export function remember(open: OpenTabs, stores: readonly Storage[]): void {
  const text = JSON.stringify(open);
  for (const store of stores) {
    try {
      if (store.getItem(KEY) !== text) store.setItem(KEY, text);
    } catch {
      // The browser keeps nothing: the next start begins anew, and the workflows are on the server.
    }
  }
}

function isOpenTabs(known: unknown): known is OpenTabs {
  if (typeof known !== "object" || known === null || !("tabs" in known) || !("active" in known)) return false;
  return Array.isArray(known.tabs) && typeof known.active === "number" && known.tabs.every(isOpenTab);
}

function isOpenTab(each: unknown): each is OpenTab {
  if (typeof each !== "object" || each === null || !("path" in each) || !("name" in each)) return false;
  return typeof each.path === "string" && typeof each.name === "string";
}
