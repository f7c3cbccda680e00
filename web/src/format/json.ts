/**
 * JSON as workflows need it: read by `json/exact`, with bounds for size and depth, and with words for what is wrong.
 */

import { done, type Outcome, type Reason, reason, refused } from "@/graph/reason";
import { isObject, type Value } from "@/graph/value";
import { errorPlace, MAX_DIGITS, NumberTooLong, parse as parseExact } from "@/json/exact";

export { stringify } from "@/json/exact";

export const MAX_BYTES = 64_000_000;

/** Levels of nesting; the same as the server's. */
export const MAX_NESTING = 500;

/** Reads JSON text. Refused when it is not JSON, too large, nested too deeply or with a number that is too long. */
export function parse(text: string): Outcome<Value> {
  if (text.length > MAX_BYTES) return refused(tooLarge(text.length));
  const source = text.startsWith("\ufeff") ? text.slice(1) : text;
  if (source.trim() === "") return refused(reason("reason.file_empty"));
  try {
    const value = parseExact(source);
    if (isTooDeep(value)) return refused(reason("reason.file_nested_too_deeply", { limit: MAX_NESTING }));
    return done(value);
  } catch (error) {
    const isTooLong = error instanceof NumberTooLong;
    return refused(isTooLong ? reason("reason.file_number_too_long", { limit: MAX_DIGITS }) : notJson(source));
  }
}

/** Reads the bytes of a JSON file, which are UTF-8. */
export function parseBytes(bytes: Uint8Array): Outcome<Value> {
  if (bytes.length > MAX_BYTES) return refused(tooLarge(bytes.length));
  try {
    return parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return refused(reason("reason.file_not_text"));
  }
}

function tooLarge(size: number): Reason {
  const [given, limit] = [Math.ceil(size / 1e6), MAX_BYTES / 1e6];
  return reason("reason.file_too_many_bytes", { size: given, limit });
}

function isTooDeep(value: Value): boolean {
  let level: readonly Value[] = [value];
  for (let depth = 0; depth <= MAX_NESTING; depth++) {
    const inner: Value[] = [];
    for (const each of level) {
      const parts: readonly Value[] = Array.isArray(each) ? each : isObject(each) ? Object.values(each) : [];
      for (const part of parts) if (typeof part === "object" && part !== null) inner.push(part);
    }
    if (inner.length === 0) return false;
    level = inner;
  }
  return true;
}

function notJson(source: string): Reason {
  const at = errorPlace(source);
  const before = source.slice(0, at).split("\n");
  return reason("reason.file_not_json", { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 });
}
