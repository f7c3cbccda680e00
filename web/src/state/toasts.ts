/** Short messages to the person: what went wrong, or that something was done. */

import { create } from "zustand";

interface Toast {
  readonly id: number;
  readonly tone: "info" | "success" | "warning" | "error";
  /** Words already in the person's language, shown as plain text. */
  readonly text: string;
  readonly detail: string;
  readonly action: { readonly label: string; readonly run: () => void } | null;
  /** What it is about: a newer one about the same takes its place, and it goes when that is over (`withdraw`). */
  readonly topic: string | null;
}

export const useToasts = create<{ readonly toasts: readonly Toast[]; readonly given: number }>()(() => ({
  toasts: [],
  given: 0,
}));

export function toast(
  tone: Toast["tone"],
  text: string,
  more: Partial<Pick<Toast, "detail" | "action" | "topic">> = {},
): void {
  useToasts.setState(({ toasts, given }) => {
    const { topic = null, detail = "" } = more;
    const isReplaced = (each: Toast) =>
      (each.text === text && each.detail === detail) || (topic !== null && each.topic === topic);
    const others = toasts.filter((each) => !isReplaced(each));
    return {
      toasts: [...others, { id: given, tone, text, detail: "", action: null, topic: null, ...more }].slice(-5),
      given: given + 1,
    };
  });
}

export function dismiss(id: number): void {
  useToasts.setState(({ toasts }) => ({ toasts: toasts.filter((each) => each.id !== id) }));
}

/** Takes back what was said about something that is over. */
export function withdraw(topic: string): void {
  useToasts.setState(({ toasts }) => ({ toasts: toasts.filter((each) => each.topic !== topic) }));
}
