/**
 * Where workflows are kept on the server: files in the person's user data, each with a version (`etag`) that a writer
 * must name, so that nobody overwrites what they have not seen.
 */

export const WORKFLOWS = "workflows/";
/** Workflows without a name yet. Apart from the named ones, so that no list of workflows fills up with them. */
export const DRAFTS = "latentwire/drafts/";

export interface KeptFile {
  readonly text: string;
  readonly etag: string | null;
}

export interface Entry {
  /** "workflows/portraits/anna.json" */
  readonly path: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

export type Written =
  | { readonly kind: "written"; readonly etag: string | null }
  /** Someone wrote another version, or (when a new file was meant) there is one of that name. */
  | { readonly kind: "conflict" }
  /** The server cannot be reached: try again later. */
  | { readonly kind: "away" }
  | { readonly kind: "refused"; readonly message: string };

interface WriteOptions {
  /** The version to replace; null: there must be none; "any": whatever is there. */
  readonly over: string | null | "any";
  /** The page is going: the request must outlive it. */
  readonly isLast?: boolean;
}

export interface Place {
  /** Returns: null when there is no such file, "away" when the server cannot be reached. */
  readonly read: (path: string) => Promise<KeptFile | null | "away">;
  readonly write: (path: string, text: string, options: WriteOptions) => Promise<Written>;
  readonly remove: (path: string) => Promise<boolean>;
  /** Returns: whether it worked; "conflict" when the new name is taken. */
  readonly move: (path: string, to: string) => Promise<Written>;
  readonly list: (folder: string) => Promise<readonly Entry[]>;
}

/** How many bytes browsers let a request carry that outlives its page. */
const LAST_WORDS = 60_000;

/** Whether a text can be sent by a request that outlives its page. */
export function canOutlive(text: string): boolean {
  return text.length < LAST_WORDS && new TextEncoder().encode(text).length < LAST_WORDS;
}

const AWAY = new Set([502, 503, 504]);

/** The server's `/api/userdata`. `ask` sends a request to an address below `/api`. */
export function serverPlace(ask: (path: string, init?: RequestInit) => Promise<Response>): Place {
  const send = async (path: string, init?: RequestInit): Promise<Response | null> => {
    try {
      const response = await ask(path, init);
      return AWAY.has(response.status) ? null : response;
    } catch {
      return null;
    }
  };
  return {
    read: async (path) => {
      const response = await send(file(path), { cache: "no-cache" });
      if (response === null) return "away";
      return response.ok ? { text: await response.text(), etag: response.headers.get("ETag") } : null;
    },
    write: async (path, text, { over, isLast = false }) =>
      written(
        await send(`${file(path)}?overwrite=${over === null ? "false" : "true"}`, {
          method: "POST",
          body: text,
          headers: {
            "Content-Type": "application/json",
            ...(over === null || over === "any" ? {} : { "If-Match": over }),
          },
          keepalive: isLast && canOutlive(text),
        }),
      ),
    remove: async (path) => (await send(file(path), { method: "DELETE" }))?.ok ?? false,
    move: async (path, to) =>
      written(await send(`${file(path)}/move/${encodeURIComponent(to)}?overwrite=false`, { method: "POST" })),
    list: async (folder) => {
      // All there is: to ask for a folder that nobody has made yet is an error.
      const response = await send("v2/userdata");
      return response?.ok === true ? entries(folder, await response.json()) : [];
    },
  };
}

async function written(response: Response | null): Promise<Written> {
  if (response === null) return { kind: "away" };
  if (response.status === 409 || response.status === 412) return { kind: "conflict" };
  if (!response.ok) return { kind: "refused", message: await sentence(response) };
  return { kind: "written", etag: response.headers.get("ETag") };
}

function file(path: string): string {
  return `userdata/${encodeURIComponent(path)}`;
}

async function sentence(response: Response): Promise<string> {
  const body = await response.text().catch(() => "");
  const text = told(body) ?? body;
  return text.length > 0 && text.length < 500 ? text : `${response.status} ${response.statusText}`;
}

/** The server's sentence in its JSON; null when it said something else. */
function told(body: string): string | null {
  try {
    const json: unknown = JSON.parse(body);
    const error = typeof json === "object" && json !== null && "error" in json ? json.error : null;
    return typeof error === "string" ? error : null;
  } catch {
    return null;
  }
}

function entries(folder: string, json: unknown): Entry[] {
  if (!Array.isArray(json)) return [];
  return json.flatMap((each: unknown) => {
    if (typeof each !== "object" || each === null || !("path" in each) || typeof each.path !== "string") return [];
    const isFile = "type" in each && each.type === "file";
    if (!isFile || !each.path.startsWith(folder)) return [];
    const size = "size" in each && typeof each.size === "number" ? each.size : 0;
    const modified = "modified" in each && typeof each.modified === "number" ? each.modified : 0;
    // Seconds or milliseconds, as servers differ.
    return [{ path: each.path, size, modified: modified < 1e11 ? modified * 1000 : modified }];
  });
}
