/** Colours of nodes and groups as files give them: anything may stand there, and only a colour is drawn. */

const NAME_OR_HEX = /^(?:#[\da-f]{3,8}|[a-z]{3,24})$/i;
const FUNCTION = /^(?:rgb|hsl|hwb|lab|lch|oklab|oklch)a?\([\d\s.,%/+a-z-]{1,80}\)$/i;

/** The colour; null where it is none, so that the theme's own is taken. */
export function drawable(color: string | null): string | null {
  const text = color?.trim() ?? "";
  if (!NAME_OR_HEX.test(text) && !FUNCTION.test(text)) return null;
  return typeof CSS === "undefined" || CSS.supports("color", text) ? text : null;
}
