/** Joins the names of CSS classes, leaving out what does not apply: `classes(styles.row, isOpen && styles.open)`. */
export function classes(...names: readonly (string | false | null | undefined)[]): string {
  return names.filter(Boolean).join(" ");
}
