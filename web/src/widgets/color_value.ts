/** Colours as widgets hold them: "#rrggbb", or with an alpha "#rrggbbaa". */

/** The colour that was typed, in the form that is kept; null when it is none. */
export function readColor(text: string): string | null {
  const digits = /^\s*#?([0-9a-f]{3,8})\s*$/i.exec(text)?.[1]?.toLowerCase();
  if (digits === undefined) return null;
  if (digits.length === 3 || digits.length === 4) return `#${[...digits].map((each) => each + each).join("")}`;
  return digits.length === 6 || digits.length === 8 ? `#${digits}` : null;
}

/** The part that a browser's colour field can hold. */
export function withoutAlpha(color: string): string {
  return color.slice(0, 7);
}

/** Another colour with the alpha that the old one had. */
export function keepAlpha(color: string, before: string | null): string {
  return color + (before?.slice(7) ?? "");
}
