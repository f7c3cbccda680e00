/** The tokens' colours as a canvas needs them: worked out once per theme. */

import type { Palette } from "./far_drawing";

let theme = "";
let known = new Map<string, string>();

export const palette: Palette = (token) => {
  const found = known.get(token);
  if (found !== undefined) return found;
  const color = getComputedStyle(document.documentElement).getPropertyValue(token).trim() || "#888888";
  known.set(token, color);
  return color;
};

/** Called before drawing: another theme has other colours. */
export function refreshPalette(): void {
  const now = document.documentElement.dataset["theme"] ?? "";
  if (now === theme) return;
  theme = now;
  known = new Map();
}
