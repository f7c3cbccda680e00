/** Words in the person's language. `setLanguage` is called by the root component, which then draws everything anew. */

import { en } from "./en";
import { zh } from "./zh";

export type TextKey = keyof typeof en;
export type Texts = Readonly<Record<TextKey, string>>;
export type Words = Readonly<Record<string, string | number | bigint>>;

export const LANGUAGES: Readonly<Record<string, { readonly name: string; readonly texts: Texts }>> = {
  en: { name: "English", texts: en },
  zh: { name: "中文", texts: zh },
};

let current = "en";

export function language(): string {
  return current;
}

/** Chooses a language; "" is the browser's. Returns the one chosen. */
export function setLanguage(wanted: string, preferred: readonly string[] = []): string {
  const candidates = [wanted, ...preferred.map((each) => each.split("-")[0] ?? "")];
  current = candidates.find((each) => each in LANGUAGES) ?? "en";
  return current;
}

export function t(key: TextKey, words: Words = {}): string {
  return fill(LANGUAGES[current]?.texts[key] ?? en[key], words);
}

/** A text that depends on a number: `plural("selection.nodes", 3)` takes "selection.nodes.other". */
export function plural(key: string, count: number, words: Words = {}): string {
  const rule = rulesOf(current).select(count);
  const chosen = `${key}.${rule}` in en ? `${key}.${rule}` : `${key}.other`;
  return t(chosen as TextKey, { count, ...words });
}

const rules = new Map<string, Intl.PluralRules>();

function rulesOf(language: string): Intl.PluralRules {
  const known = rules.get(language) ?? new Intl.PluralRules(language);
  rules.set(language, known);
  return known;
}

/** A text whose key is made at run time (a reason, an edit's name); the key itself when there is none. */
export function lookUp(key: string, words: Words = {}): string {
  return key in en ? t(key as TextKey, words) : key;
}

function fill(text: string, words: Words): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in words ? String(words[name]) : whole));
}
