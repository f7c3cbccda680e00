/** What goes wrong between the editor and the server: one kind of error, which says what can be done about it. */

import { isObject, type Json, parse } from "@/json/exact";

/**
 * offline: no answer, it may be worth sending again; refused: the request itself is wrong; conflict: somebody was faster;
 * notReady: the server asks to try again later; other: a mistake on the server's side.
 */
type FailureKind = "offline" | "refused" | "notFound" | "conflict" | "tooLarge" | "noSpace" | "notReady" | "other";

export class Failure extends Error {
  override readonly name = "Failure";

  /** `message` is the server's own words, or "" where it said none. `status` is 0 when no answer came. */
  constructor(
    readonly kind: FailureKind,
    readonly status: number,
    message: string,
    /** The whole answer, as far as it is JSON: `POST /prompt` says more than a sentence. */
    readonly body: Json = null,
    /** Seconds after which the server wants to be asked again; null: it did not say. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

const KINDS: Readonly<Record<number, FailureKind>> = {
  404: "notFound",
  409: "conflict",
  412: "conflict",
  413: "tooLarge",
  408: "offline",
  502: "offline", // a proxy whose server is away
  504: "offline",
  503: "notReady",
  507: "noSpace",
};

function kindOf(status: number): FailureKind {
  return KINDS[status] ?? (status >= 400 && status < 500 ? "refused" : "other");
}

/** The failure that an answer with an error's status is. */
export async function failureOf(answer: Response): Promise<Failure> {
  const text = await answer.text().catch(() => "");
  const body = readable(text);
  const seconds = Number(answer.headers.get("Retry-After") ?? Number.NaN);
  const retryAfter = Number.isFinite(seconds) ? seconds : null;
  return new Failure(kindOf(answer.status), answer.status, words(body, text), body, retryAfter);
}

/** Whatever was thrown, as a failure: what is none yet came from a connection that broke. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof SyntaxError) return new Failure("other", 200, error.message);
  return new Failure("offline", 0, error instanceof Error ? error.message : "");
}

function readable(text: string): Json {
  try {
    return parse(text);
  } catch {
    return null;
  }
}

/** The sentence in an error: `{"error": "…"}`, or `{"error": {"message", "details"}}`. */
function words(body: Json, text: string): string {
  const error = isObject(body) ? body["error"] : null;
  if (typeof error === "string") return error;
  if (isObject(error)) {
    const said = [error["message"], error["details"]];
    return said.filter((each) => typeof each === "string" && each !== "").join(": ");
  }
  // A proxy's page is no sentence.
  return text.length < 300 && !text.trimStart().startsWith("<") && body === null ? text.trim() : "";
}
