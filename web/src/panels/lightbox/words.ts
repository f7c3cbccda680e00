/** Sizes, dates and times in the person's language. */

import { language } from "@/texts/index";

export function inBytes(bytes: number): string {
  const [unit, value] = bytes < 1e6 ? (["kilobyte", bytes / 1e3] as const) : (["megabyte", bytes / 1e6] as const);
  const digits = value < 10 ? 1 : 0;
  return new Intl.NumberFormat(language(), { style: "unit", unit, maximumFractionDigits: digits }).format(value);
}

export function inMegapixels(pixels: number): string {
  return new Intl.NumberFormat(language(), { maximumFractionDigits: 1 }).format(pixels / 1e6);
}

export function resolution(width: number, height: number): string {
  return `${width} × ${height}`;
}

export function dateAndTime(milliseconds: number): string {
  return new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short" }).format(milliseconds);
}

export function timeOfDay(milliseconds: number): string {
  return new Intl.DateTimeFormat(language(), { timeStyle: "short" }).format(milliseconds);
}

/** "today" and "yesterday" in words, other days by their date. Days are counted since 1970, here where we are. */
export function dayInWords(day: number, today: number): string {
  if (today - day === 0 || today - day === 1) {
    const words = new Intl.RelativeTimeFormat(language(), { numeric: "auto" }).format(day - today, "day");
    return words.charAt(0).toLocaleUpperCase(language()) + words.slice(1);
  }
  const format = new Intl.DateTimeFormat(language(), { dateStyle: "full", timeZone: "UTC" });
  return format.format(day * 86_400_000);
}

export function localDay(milliseconds: number): number {
  return Math.floor((milliseconds - new Date(milliseconds).getTimezoneOffset() * 60_000) / 86_400_000);
}

/** "0.8 s", "12 s", "3 min 20 s". */
export function duration(seconds: number): string {
  if (seconds < 10) return inUnit("second", seconds, 1);
  const whole = Math.round(seconds);
  if (whole < 60) return inUnit("second", whole);
  if (whole < 3600) return `${inUnit("minute", Math.floor(whole / 60))} ${inUnit("second", whole % 60)}`;
  return `${inUnit("hour", Math.floor(whole / 3600))} ${inUnit("minute", Math.floor((whole % 3600) / 60))}`;
}

function inUnit(unit: "second" | "minute" | "hour", value: number, digits = 0): string {
  const options = { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits } as const;
  return new Intl.NumberFormat(language(), options).format(value);
}
