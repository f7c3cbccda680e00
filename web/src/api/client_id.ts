/**
 * Who we are to the server: a name per browser tab, which a reload keeps, so that what the tab's jobs do is told to it
 * again. A duplicated tab begins with the same name and takes another.
 */

const KEY = "latentwire.client";
const CHANNEL = "latentwire.clients";

interface Greeting {
  readonly kind: "hello" | "taken";
  readonly id: string;
  /** Which page speaks. */
  readonly page: string;
}

/** This tab's name. `onTaken` is called with a new one when another tab has it, `onRival` when another tab tries it. */
export function claimClientId(onTaken: (id: string) => void, onRival: () => void): string {
  const page = crypto.randomUUID();
  let id = remembered() ?? remember(crypto.randomUUID());
  if (typeof BroadcastChannel === "undefined") return id;
  const channel = new BroadcastChannel(CHANNEL);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a BroadcastChannel takes no target
  const say = (kind: Greeting["kind"]) => channel.postMessage({ kind, id, page } satisfies Greeting);
  channel.addEventListener("message", ({ data }: MessageEvent<Greeting>) => {
    if (data.id !== id || data.page === page) return;
    if (data.kind === "hello") {
      say("taken");
      onRival();
    } else {
      id = remember(crypto.randomUUID());
      onTaken(id);
    }
  });
  say("hello");
  return id;
}

function remembered(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null; // storage is forbidden: a name for this page only
  }
}

function remember(id: string): string {
  try {
    sessionStorage.setItem(KEY, id);
  } catch {
    // as above
  }
  return id;
}
