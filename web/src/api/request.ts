/**
 * One request to the server, at the page's own place: the page may be served below a path prefix, and a token in its
 * address is sent along (the cookie that the server sets does the same for pictures).
 */

import { asFailure, failureOf } from "./failure";
import { type Json, parse, stringify } from "@/json/exact";

/** What stands behind the `?`; null and undefined are left out. */
type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

interface RequestOptions {
  readonly method?: "GET" | "POST" | "DELETE" | "PUT";
  readonly query?: Query;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: BodyInit;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds until the answer's beginning must be there; 0: as long as it takes. */
  readonly timeout?: number;
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT = 30_000;

/** Where the page says that the server's routes are not beside it; server/files/bundle.py writes it. */
const ROOT = 'meta[name="latentwire-root"]';

let place: string | null = null;

/** Where the page is; tests, which have no page, say so themselves. */
export function setPlace(address: string): void {
  place = address;
}

/** The whole address of a route: `route("jobs")` is ".../api/jobs" beside the page. */
export function route(path: string, query: Query = {}): string {
  return new URL(`api/${withQuery(path, query)}`, here()).href;
}

/** The token in the page's address; null without one. */
export function token(): string | null {
  return new URL(here()).searchParams.get("token");
}

/**
 * The answer to a request, whatever its status, for those who look at it themselves. `path` may have a query. Throws
 * what `fetch` throws when there is no answer.
 */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const given = token();
  if (given !== null) headers.set("X-Token", given);
  return fetch(route(path), { credentials: "same-origin", ...init, headers });
}

/** Sends a request. Throws a `Failure`, also for answers with an error's status. */
export async function send(path: string, options: RequestOptions = {}): Promise<Response> {
  const { query = {}, json, body = null, headers = {}, timeout = TIMEOUT, signal } = options;
  const clocks = timeout > 0 ? [AbortSignal.timeout(timeout)] : [];
  const init: RequestInit = {
    method: options.method ?? "GET",
    headers,
    body: json === undefined ? body : stringify(json),
    signal: AbortSignal.any(signal === undefined ? clocks : [signal, ...clocks]),
  };
  const answer = await ask(withQuery(path, query), init).catch((error: unknown) => {
    throw signal?.aborted === true ? error : asFailure(error);
  });
  if (!answer.ok) throw await failureOf(answer);
  return answer;
}

/** Sends a request and reads the answer's JSON. */
export async function load(path: string, options: RequestOptions = {}): Promise<Json> {
  const answer = await send(path, options);
  try {
    return parse(await answer.text());
  } catch (error) {
    throw options.signal?.aborted === true ? error : asFailure(error);
  }
}

function here(): string {
  return (place ??= beside(document.baseURI, document.querySelector(ROOT)?.getAttribute("content")));
}

/** The place where the server's routes begin: the page's own, or one that the page was told; the token stays. */
export function beside(page: string, root: string | null | undefined): string {
  const address = new URL(root ?? ".", page);
  address.search = new URL(page).search;
  return address.href;
}

function withQuery(path: string, query: Query): string {
  const entries = Object.entries(query).flatMap(([name, value]) =>
    value === null || value === undefined ? [] : [[name, String(value)]],
  );
  return entries.length === 0 ? path : `${path}?${new URLSearchParams(entries).toString()}`;
}
