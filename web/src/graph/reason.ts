/**
 * Why something cannot be done. A rule answers `null` (it can) or a Reason; what it says in words is in `texts`, so
 * that this layer knows no language.
 */
export interface Reason {
  /** A key of `texts`, such as "reason.type_mismatch". */
  readonly code: `reason.${string}`;
  /** What the sentence names: `{wanted}`, `{given}` … */
  readonly words: Readonly<Record<string, string | number>>;
}

export function reason(code: Reason["code"], words: Reason["words"] = {}): Reason {
  return { code, words };
}

/** What an edit gives: the changed thing, or why not. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: Reason };

export function done<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

export function refused<T>(why: Reason): Outcome<T> {
  return { ok: false, reason: why };
}
