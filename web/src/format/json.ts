/**
 * JSON as workflows need it: whole numbers that a double cannot hold stay exact (as bigints), the bare NaN and Infinity
 * that ComfyUI writes into pictures become null, and size and depth have bounds.
 *
 * The browser's own parser does the work. Where a text holds longer whole numbers they are put between quotes behind a
 * mark before it, and made bigints after it; a second parser in JavaScript would take ten times as long.
 */

import { parse as losslessParse, stringify as losslessStringify } from "lossless-json";

import { done, type Outcome, type Reason, reason, refused } from "@/graph/reason";
import { isObject, type Value } from "@/graph/value";

export const MAX_BYTES = 64_000_000;

/** Levels of nesting; the same as the server's. */
export const MAX_NESTING = 500;

/** Digits of a whole number; more than 4096 bits are no number any node can use. */
const MAX_DIGITS = 1233;

const LONG_NUMBER = /(?<![\d.])\d{16}/;
const SPECIAL = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|NaN|-?Infinity/g;
const WHOLE = /^-?\d+$/;

/** Reads JSON text. Refused when it is not JSON, too large or nested too deeply. */
export function parse(text: string): Outcome<Value> {
  if (text.length > MAX_BYTES) return refused(tooLarge(text.length));
  const source = text.startsWith("\ufeff") ? text.slice(1) : text;
  if (source.trim() === "") return refused(reason("reason.file_empty"));
  const value = LONG_NUMBER.test(source) ? parseExactly(source) : parsePlainly(source);
  if (value === undefined) return refused(notJson(source));
  if (isTooDeep(value)) return refused(reason("reason.file_nested_too_deeply", { limit: MAX_NESTING }));
  return done(value);
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

/** The value as JSON text; bigints as the whole numbers they are. */
export function stringify(value: Value, indent?: number): string {
  try {
    return JSON.stringify(value, null, indent);
  } catch {
    return losslessStringify(value, null, indent) ?? "null";
  }
}

function tooLarge(size: number): Reason {
  const [given, limit] = [Math.ceil(size / 1e6), MAX_BYTES / 1e6];
  return reason("reason.file_too_many_bytes", { size: given, limit });
}

/** undefined where the text is not JSON. */
function parsePlainly(source: string): Value | undefined {
  const value = native(source);
  return value === undefined && /NaN|Infinity/.test(source) ? parseExactly(source) : value;
}

function native(source: string): Value | undefined {
  try {
    return JSON.parse(source) as Value;
  } catch {
    return undefined;
  }
}

function parseExactly(source: string): Value | undefined {
  let mark = "whole number ";
  while (source.includes(mark)) mark += "·";
  const value = native(marked(source, mark));
  return value === undefined ? undefined : unmarked(value, mark);
}

/** The text with long whole numbers outside of its strings between quotes behind the mark, and NaN as null. */
function marked(source: string, mark: string): string {
  const parts: string[] = [];
  let copied = 0;
  let at = 0;
  while (at < source.length) {
    const quote = source.indexOf('"', at);
    const end = quote === -1 ? source.length : quote;
    const between = source.slice(at, end);
    const changed = between.replace(SPECIAL, (token) => markedToken(token, mark));
    if (changed !== between) {
      parts.push(source.slice(copied, at), changed);
      copied = end;
    }
    at = afterString(source, end);
  }
  parts.push(source.slice(copied));
  return parts.join("");
}

function markedToken(token: string, mark: string): string {
  if (token.endsWith("N") || token.endsWith("y")) return "null";
  const isLong = token.length >= 16 && WHOLE.test(token) && !Number.isSafeInteger(Number(token));
  return isLong ? `"${mark}${token}"` : token;
}

/** The place behind the string that begins at a quote. */
function afterString(source: string, quote: number): number {
  let end = source.indexOf('"', quote + 1);
  while (end !== -1) {
    let slashes = 0;
    while (source[end - 1 - slashes] === "\\") slashes += 1;
    if (slashes % 2 === 0) return end + 1;
    end = source.indexOf('"', end + 1);
  }
  return source.length;
}

/** Turns marked strings into bigints, in place: the value was just parsed and nobody else has it. */
function unmarked(value: Value, mark: string): Value {
  const whole = { value };
  const waiting: Record<string, Value>[] = [whole];
  for (let holder = waiting.pop(); holder !== undefined; holder = waiting.pop()) {
    for (const key of Object.keys(holder)) {
      const each = holder[key];
      if (typeof each === "string") {
        if (each.startsWith(mark)) holder[key] = wholeNumber(each.slice(mark.length));
      } else if (typeof each === "object" && each !== null) {
        waiting.push(each as Record<string, Value>);
      }
    }
  }
  return whole.value;
}

/** A number that is too long to be one stays a number all the same, though not an exact one. */
function wholeNumber(digits: string): Value {
  return digits.length > MAX_DIGITS ? null : BigInt(digits);
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

/** Where a text stops being JSON; its end when that cannot be told. Browsers do not agree on saying it, so we ask. */
function errorPlace(source: string): number {
  try {
    losslessParse(source, null, { onDuplicateKey: ({ newValue }) => newValue });
  } catch (error) {
    const found = /position (\d+)/.exec(String(error));
    if (found?.[1] !== undefined) return Number(found[1]);
  }
  return source.length;
}
