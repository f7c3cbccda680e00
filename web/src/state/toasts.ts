/** Short messages to the person: what went wrong, or that something was done. */

import { create } from "zustand";

export interface Toast {
  readonly id: number;
  readonly tone: "info" | "success" | "warning" | "error";
  /** Words already in the person's language, shown as plain text. */
  readonly text: string;
  readonly detail: string;
  readonly action: { readonly label: string; readonly run: () => void } | null;
}

export const useToasts = create<{ readonly toasts: readonly Toast[]; readonly given: number }>()(() => ({
  toasts: [],
  given: 0,
}));

export function toast(tone: Toast["tone"], text: string, more: Partial<Pick<Toast, "detail" | "action">> = {}): void {
  useToasts.setState(({ toasts, given }) => {
    const others = toasts.filter((each) => each.text !== text || each.detail !== (more.detail ?? ""));
    return {
      toasts: [...others, { id: given, tone, text, detail: "", action: null, ...more }].slice(-5),
      given: given + 1,
    };
  });
}

export function dismiss(id: number): void {
  useToasts.setState(({ toasts }) => ({ toasts: toasts.filter((each) => each.id !== id) }));
}
