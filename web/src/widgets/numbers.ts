/**
 * How a number of an input moves: by steps, by a drag, by what is typed. Whole numbers are exact up to any size; a
 * `bigint` comes out where a double cannot hold the number.
 */

import type { InputType } from "@/graph/node_type";
import { done, type Outcome, reason, refused } from "@/graph/reason";
import { isNumeric, type Value } from "@/graph/value";
import { checkValue } from "@/graph/values";
import { kindOf } from "@/graph/widgets";

import { evaluate } from "./arithmetic";

export type Numeric = number | bigint;

/** What changes the pace while dragging or stepping: Shift is fine, Ctrl goes to round numbers. */
interface Pace {
  readonly isFine: boolean;
  readonly isRound: boolean;
}

export const PLAIN: Pace = { isFine: false, isRound: false };

const PIXELS_PER_STEP = 4;
/** A range up to this long, and of this many steps, is one in which a bar says something. */
const LONGEST_BAR = 256;
const MOST_BAR_STEPS = 5000;

export function isWhole(input: InputType): boolean {
  return kindOf(input) === "INT";
}

function stepOf(input: InputType): number {
  const told = Number(input.options["step"] ?? 0);
  if (isWhole(input)) return Math.max(1, Math.trunc(told));
  return told > 0 ? told : 0.1;
}

/** The number to work with, whatever the widget holds now. */
export function numberIn(value: Value | undefined, input: InputType): Numeric {
  if (typeof value === "bigint") return isWhole(input) ? value : Number(value);
  const number = typeof value === "string" ? (evaluate(value) ?? 0) : value;
  if (typeof number === "bigint") return compact(number);
  if (typeof number !== "number" || !Number.isFinite(number)) return 0;
  return isWhole(input) ? Math.trunc(number) : number;
}

/** The number as it is shown: decimals as its steps have them, more where it has more. */
export function shown(value: Value | undefined, input: InputType): string {
  if (!isNumeric(value)) return typeof value === "string" ? value : value == null ? "" : JSON.stringify(value);
  if (typeof value === "bigint" || isWhole(input)) return String(value);
  const needed = decimalsOf(value);
  const decimals = Math.min(decimalsOf(stepOf(input)), 4);
  return needed > decimals || Math.abs(value) >= 1e15 ? String(value) : value.toFixed(decimals);
}

export function stepped(value: Numeric, steps: number, input: InputType, pace: Pace = PLAIN): Numeric {
  const step = stepOf(input);
  if (isWhole(input)) {
    const moved = BigInt(value) + BigInt(Math.trunc(steps)) * BigInt(step);
    return within(compact(pace.isRound ? nearest(moved, BigInt(step) * 10n) : moved), input);
  }
  const size = pace.isFine ? step / 10 : step;
  const moved = Number(value) + steps * size;
  const target = pace.isRound ? Math.round(moved / (step * 10)) * step * 10 : moved;
  const decimals = Math.max(decimalsOf(size), pace.isRound ? 0 : decimalsOf(Number(value)));
  return within(tidy(rounded(target, input), decimals), input);
}

/** Where a drag leads that began at `start`: along the bar where there is one, else by steps. */
export function dragged(start: Numeric, pixels: number, width: number, input: InputType, pace: Pace): Numeric {
  const range = barOf(input);
  const step = stepOf(input);
  if (range === null) {
    const steps = pixels / (isWhole(input) && pace.isFine ? PIXELS_PER_STEP * 10 : PIXELS_PER_STEP);
    return stepped(start, Math.trunc(steps), input, pace);
  }
  const way = ((pixels / Math.max(width, 1)) * (range.max - range.min)) / (pace.isFine ? 10 : 1);
  const size = pace.isFine && !isWhole(input) ? step / 10 : step;
  return stepped(start, Math.round(way / size), input, pace);
}

/** What someone typed, or why it cannot be: no number, not whole, out of range. */
export function typed(text: string, input: InputType): Outcome<Numeric> {
  const value = evaluate(text);
  if (value === null) return refused(reason("reason.not_number", { input: input.name, value: text }));
  if (isWhole(input)) {
    if (typeof value === "number" && !Number.isInteger(value)) {
      return refused(reason("reason.not_whole", { input: input.name, value: text }));
    }
    return checked(compact(BigInt(value)), input);
  }
  return checked(rounded(Number(value), input), input);
}

function checked(value: Numeric, input: InputType): Outcome<Numeric> {
  const why = checkValue(input, value);
  return why === null ? done(value) : refused(why);
}

interface Bar {
  readonly min: number;
  readonly max: number;
}

/** The range that a bar shows; null where the range is missing, or too long for its place to mean anything. */
export function barOf(input: InputType): Bar | null {
  const { min, max, display } = input.options;
  if (!isNumeric(min) || !isNumeric(max)) return null;
  const range = { min: Number(min), max: Number(max) };
  const length = range.max - range.min;
  if (!(length > 0) || !Number.isSafeInteger(Math.ceil(length))) return null;
  if (display === "slider") return range;
  return length <= LONGEST_BAR && length / stepOf(input) <= MOST_BAR_STEPS ? range : null;
}

/** How far along the bar a value is, 0 to 1. */
export function placeOn(bar: Bar, value: Numeric): number {
  return Math.min(1, Math.max(0, (Number(value) - bar.min) / (bar.max - bar.min)));
}

/** The value at a place of the bar, on a step. */
export function valueAtPlace(bar: Bar, place: number, input: InputType): Numeric {
  const step = stepOf(input);
  const steps = Math.round((Math.min(1, Math.max(0, place)) * (bar.max - bar.min)) / step);
  return stepped(isWhole(input) ? compact(BigInt(Math.trunc(bar.min))) : bar.min, steps, input);
}

/** A whole number as a plain one where that is exact. */
function compact(value: bigint): Numeric {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** A random whole number within the input's range, all of its bits random. */
export function randomWhole(input: InputType, fill: (words: BigUint64Array<ArrayBuffer>) => void): Numeric {
  const { min, max } = input.options;
  const low = isNumeric(min) ? BigInt(Math.trunc(Number(min)) === Number(min) ? min : 0) : 0n;
  const high = isNumeric(max) ? wholeOf(max) : 2n ** 64n - 1n;
  if (high <= low) return compact(low);
  const words = new BigUint64Array(2);
  fill(words);
  const [one = 0n, other = 0n] = words;
  return compact(low + (((one << 64n) | other) % (high - low + 1n)));
}

/** A limit that came as a double (1.8446744073709552e19) stands for the largest number of 64 bits. */
function wholeOf(limit: Numeric): bigint {
  const most = 2n ** 64n - 1n;
  const whole = typeof limit === "bigint" ? limit : BigInt(Math.trunc(limit));
  return whole > most ? most : whole;
}

function within(value: Numeric, input: InputType): Numeric {
  const { min, max } = input.options;
  if (isNumeric(min) && value < min) return isWhole(input) ? compact(wholeOf(min)) : Number(min);
  if (isNumeric(max) && value > max) return isWhole(input) ? compact(wholeOf(max)) : Number(max);
  return value;
}

/** Rounded as the node's author asks, `round: 0.01`. */
function rounded(value: number, input: InputType): number {
  const told = input.options["round"];
  if (typeof told !== "number" || !(told > 0)) return value;
  return tidy(Math.round(value / told) * told, decimalsOf(told));
}

function nearest(value: bigint, size: bigint): bigint {
  const rest = ((value % size) + size) % size;
  return rest * 2n >= size ? value - rest + size : value - rest;
}

/** Without the dust of binary fractions: 0.30000000000000004 is 0.3. */
function tidy(value: number, decimals: number): number {
  return Number(value.toFixed(Math.min(decimals, 15)));
}

function decimalsOf(value: number): number {
  const [digits = "", exponent = "0"] = String(value).split("e");
  return Math.max(0, (digits.split(".")[1]?.length ?? 0) - Number(exponent));
}
