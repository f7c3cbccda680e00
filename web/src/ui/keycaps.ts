/** What stands on the keys of a shortcut: "Mod+Shift+KeyZ" is Ctrl, Shift, Z, or ⌘, ⇧, Z on a Mac. */

const NAMES: Readonly<Record<string, string>> = {
  Enter: "↵",
  Escape: "Esc",
  Delete: "Del",
  Backspace: "⌫",
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  PageUp: "PgUp",
  PageDown: "PgDn",
  Equal: "=",
  Minus: "−",
  Plus: "+",
  Comma: ",",
  Period: ".",
  Slash: "/",
  Backslash: "\\",
  BracketLeft: "[",
  BracketRight: "]",
  Backquote: "`",
  Quote: "'",
  Semicolon: ";",
};

const ON_A_MAC: Readonly<Record<string, string>> = { Mod: "⌘", Ctrl: "⌃", Shift: "⇧", Alt: "⌥" };
const ELSEWHERE: Readonly<Record<string, string>> = { Mod: "Ctrl" };

function isMac(): boolean {
  return typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);
}

export function keycaps(keys: string, mac: boolean = isMac()): readonly string[] {
  const modifiers = mac ? ON_A_MAC : ELSEWHERE;
  // A "+" at the end is the key itself: "Mod++".
  const parts = keys === "+" ? ["+"] : keys.replace(/\+\+$/, "+Plus").split("+");
  return parts.map((part) => modifiers[part] ?? NAMES[part] ?? part.replace(/^(?:Key|Digit|Numpad)(?=.)/, ""));
}
