/** Is a value one that its input may have? The same answers as the server's, so that nothing sent is refused there. */

import type { InputType } from "./node_type";
import { type Reason, reason } from "./reason";
import { isNumeric, sameValue, type Value } from "./value";
import { kindOf } from "./widgets";

const WHOLE = /^\s*[+-]?\d+(_\d+)*\s*$/;
const MIN_INTEGER = -(2n ** 63n);
const MAX_INTEGER = 2n ** 64n - 1n;
const HALF_CHARACTER = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

/** null when the value is right; else what is wrong with it: type, range, choice. */
export function checkValue(input: InputType, value: Value): Reason | null {
  if (value === null) return input.required ? reason("reason.no_value", { input: input.name }) : null;
  switch (kindOf(input)) {
    case "INT":
      return checkWhole(input, value);
    case "FLOAT":
      return checkNumber(input, value);
    case "STRING":
      return checkText(input, value);
    case "COMBO":
      return checkChoice(input, value);
    default:
      return null;
  }
}

function checkWhole(input: InputType, value: Value): Reason | null {
  const whole = asWhole(value);
  if (whole === null) return reason("reason.not_whole", { input: input.name, value: shown(value) });
  const hasRange = isNumeric(input.options["min"]) && isNumeric(input.options["max"]);
  if (!hasRange && (whole < MIN_INTEGER || whole > MAX_INTEGER)) {
    return reason("reason.too_long", { input: input.name, value: shown(value) });
  }
  return checkRange(input, whole);
}

/** The whole number the server would read; null when it would refuse. Texts count, as they do there. */
function asWhole(value: Value): bigint | null {
  if (typeof value === "bigint") return value;
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "number") return Number.isFinite(value) ? BigInt(Math.trunc(value)) : null;
  return typeof value === "string" && WHOLE.test(value)
    ? BigInt(value.replaceAll("_", "").trim().replace(/^\+/, ""))
    : null;
}

function checkNumber(input: InputType, value: Value): Reason | null {
  const number = asNumber(value);
  if (number === null) return reason("reason.not_number", { input: input.name, value: shown(value) });
  return checkRange(input, number);
}

function asNumber(value: Value): number | bigint | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "bigint") return value;
  const number = typeof value === "string" && value.trim() !== "" ? Number(value.trim()) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : null;
}

/** Comparing a bigint with a number is exact in JavaScript, whichever of them is larger than a double can say. */
function checkRange(input: InputType, value: number | bigint): Reason | null {
  const [low, high] = [input.options["min"], input.options["max"]];
  if (isNumeric(low) && value < low) {
    return reason("reason.too_small", { input: input.name, value: shown(value), min: shown(low) });
  }
  if (isNumeric(high) && value > high) {
    return reason("reason.too_big", { input: input.name, value: shown(value), max: shown(high) });
  }
  return null;
}

function checkText(input: InputType, value: Value): Reason | null {
  if (typeof value === "object") return reason("reason.not_text", { input: input.name, value: shown(value) });
  if (typeof value !== "string") return null;
  const isBroken = value.includes("\0") || HALF_CHARACTER.test(value);
  return isBroken ? reason("reason.broken_text", { input: input.name }) : null;
}

function checkChoice(input: InputType, value: Value): Reason | null {
  const { choices, options } = input;
  // The author looks at these, or the list is somewhere else: the server has the word.
  const isOpen = ["multi_select", "multiselect", "remote", ...UPLOADS].some((key) => Boolean(options[key]));
  if (choices === null || isOpen || choices.some((each) => sameValue(each, value))) return null;
  return reason("reason.not_a_choice", { input: input.name, value: shown(value) });
}

const UPLOADS = ["image_upload", "video_upload", "audio_upload", "file_upload", "mesh_upload"];

function shown(value: Value): string {
  const text = typeof value === "object" ? "…" : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
