/**
 * Which key a keyboard event is, in the words that commands use: "Mod+Shift+KeyZ", "F2", "?".
 *
 * Letters are compared by what is printed on the key where that is a Latin letter (so that Mod+Z is where an AZERTY
 * keyboard has its Z), and by its place otherwise (Cyrillic and Greek layouts, Alt on a Mac).
 */

export interface Pressed {
  readonly key: string;
  readonly code: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
}

const MODIFIERS = ["Mod", "Shift", "Alt"];

export function matches(pressed: Pressed, keys: string): boolean {
  const parts = keys.split("+");
  const key = keys.endsWith("+") ? "+" : (parts.at(-1) ?? "");
  const wants = (modifier: string): boolean => parts.slice(0, -1).includes(modifier);
  if (wants("Mod") !== (pressed.ctrlKey || pressed.metaKey) || wants("Alt") !== pressed.altKey) return false;
  // A sign such as "?" is the same key with and without Shift, as the layout has it.
  if (isSign(key)) return pressed.key === key;
  return wants("Shift") === pressed.shiftKey && isKey(pressed, key);
}

/** The command a key is for, among those that know it; the first that takes it. */
export function commandFor<T extends { readonly keys: readonly string[] }>(
  pressed: Pressed,
  commands: Iterable<T>,
): T | null {
  if (MODIFIERS.concat("Control", "Meta").includes(pressed.key)) return null;
  for (const command of commands) if (command.keys.some((keys) => matches(pressed, keys))) return command;
  return null;
}

function isSign(key: string): boolean {
  return key.length === 1 && !/[a-z0-9]/i.test(key);
}

function isKey(pressed: Pressed, wanted: string): boolean {
  const letter = /^Key([A-Z])$/.exec(wanted)?.[1];
  if (letter !== undefined && /^[a-z]$/i.test(pressed.key)) return pressed.key.toUpperCase() === letter;
  if (wanted === "Enter" && pressed.code === "NumpadEnter") return true;
  return pressed.code === wanted || pressed.key === wanted;
}
