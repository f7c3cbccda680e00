/** The colour of a type of socket: one of the tokens, or the one for anything. */

const KNOWN = new Set(
  [
    "MODEL CLIP VAE CONDITIONING LATENT IMAGE MASK CONTROL_NET CLIP_VISION UPSCALE_MODEL",
    "INT FLOAT STRING BOOLEAN COMBO",
  ].flatMap((line) => line.split(" ")),
);

/** As CSS. Of several alternatives the first that has a colour counts. */
export function typeColor(type: string): string {
  return `var(${typeToken(type)})`;
}

export function typeToken(type: string): string {
  const known = type.split(",").find((each) => KNOWN.has(each.trim()));
  return `--type-${known?.trim() ?? "any"}`;
}
