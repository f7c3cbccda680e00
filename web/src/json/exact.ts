/**
 * JSON whose whole numbers of any size stay what they are: beyond a double's they are bigints, for seeds have 64 bits.
 * The bare NaN and Infinity that ComfyUI writes into pictures become null.
 *
 * The browser's own parser does the work. Where a text holds longer whole numbers they are put between quotes behind a
 * mark before it, and made bigints after it; a second parser in JavaScript would take ten times as long.
 */

import { parse as losslessParse, stringify as losslessStringify } from "lossless-json";

/** What can be written as JSON. The rooms that read workflows call it `Value`. */
export type Json = string | number | bigint | boolean | null | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Json;
}

/** A whole number that is so long that no node can use it. */
export class NumberTooLong extends SyntaxError {}

/** Digits of a whole number; more than 4096 bits are no number any node can use, and long ones are slow to read. */
export const MAX_DIGITS = 1233;

const LONG_NUMBER = /(?<![\d.])\d{16}/;
const SPECIAL = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|NaN|-?Infinity/g;
const WHOLE = /^-?\d+$/;

/** Reads JSON. Throws a SyntaxError for what is none, NumberTooLong for what has a number of too many digits. */
export function parse(text: string): Json {
  if (LONG_NUMBER.test(text)) return parseMarked(text);
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    return parseMarked(text);
  }
}

/** The value as JSON text; bigints as the whole numbers they are. */
export function stringify(value: unknown, indent?: number): string {
  try {
    return JSON.stringify(value, null, indent) ?? "null";
  } catch {
    return losslessStringify(value, null, indent) ?? "null";
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Where a text stops being JSON; its end when that cannot be told. Browsers do not agree on saying it, so we ask. */
export function errorPlace(text: string): number {
  try {
    losslessParse(text, null, { onDuplicateKey: ({ newValue }) => newValue });
  } catch (error) {
    const found = /position (\d+)/.exec(String(error));
    if (found?.[1] !== undefined) return Number(found[1]);
  }
  return text.length;
}

function parseMarked(text: string): Json {
  let mark = "whole number ";
  while (text.includes(mark)) mark += "·";
  return unmarked(JSON.parse(marked(text, mark)) as Json, mark);
}

/** The text with long whole numbers outside of its strings between quotes behind the mark, and NaN as null. */
function marked(text: string, mark: string): string {
  const parts: string[] = [];
  let copied = 0;
  let at = 0;
  while (at < text.length) {
    const quote = text.indexOf('"', at);
    const end = quote === -1 ? text.length : quote;
    const between = text.slice(at, end);
    const changed = between.replace(SPECIAL, (token) => markedToken(token, mark));
    if (changed !== between) {
      parts.push(text.slice(copied, at), changed);
      copied = end;
    }
    at = afterString(text, end);
  }
  parts.push(text.slice(copied));
  return parts.join("");
}

function markedToken(token: string, mark: string): string {
  if (token.endsWith("N") || token.endsWith("y")) return "null";
  const isLong = token.length >= 16 && WHOLE.test(token) && !Number.isSafeInteger(Number(token));
  return isLong ? `"${mark}${token}"` : token;
}

/** The place behind the string that begins at a quote. */
function afterString(text: string, quote: number): number {
  let end = text.indexOf('"', quote + 1);
  while (end !== -1) {
    let slashes = 0;
    while (text[end - 1 - slashes] === "\\") slashes += 1;
    if (slashes % 2 === 0) return end + 1;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}

/** Turns marked strings into bigints, in place: the value was just parsed and nobody else has it. */
function unmarked(value: Json, mark: string): Json {
  const whole = { value };
  const waiting: Record<string, Json>[] = [whole];
  for (let holder = waiting.pop(); holder !== undefined; holder = waiting.pop()) {
    for (const key of Object.keys(holder)) {
      const each = holder[key];
      if (typeof each === "string") {
        if (each.startsWith(mark)) holder[key] = wholeNumber(each.slice(mark.length));
      } else if (typeof each === "object" && each !== null) {
        waiting.push(each as Record<string, Json>);
      }
    }
  }
  return whole.value;
}

function wholeNumber(digits: string): bigint {
  if (digits.length > MAX_DIGITS) throw new NumberTooLong(`a whole number of ${digits.length} digits`);
  return BigInt(digits);
}
