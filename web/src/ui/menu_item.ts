/** What menus are made of: the same list serves a button's menu and a context menu. */

import type { LucideIcon } from "lucide-react";

export interface MenuAction {
  readonly id: string;
  readonly label: string;
  readonly icon?: LucideIcon | undefined;
  /** "Mod+KeyZ", as in `state/commands`; only shown. */
  readonly keys?: string | undefined;
  readonly isDisabled?: boolean | undefined;
  /** Given: it can be on or off, and which it is. */
  readonly isChecked?: boolean | undefined;
  readonly tone?: "danger" | undefined;
  /** A menu of its own; `onAction` is then not called. */
  readonly items?: readonly MenuItem[] | undefined;
  readonly onAction?: (() => void) | undefined;
}

export type MenuItem = MenuAction | "separator";

/** Neighbours of one kind: those that can be checked, those that cannot, and single separators between them. */
export type MenuPart =
  | { readonly kind: "actions" | "checks"; readonly key: string; readonly items: readonly MenuAction[] }
  | { readonly kind: "separator"; readonly key: string };

/** Sorts items into parts; separators at the ends, and the second of two in a row, are left out. */
export function partsOf(items: readonly MenuItem[]): readonly MenuPart[] {
  const parts: MenuPart[] = [];
  for (const item of items) {
    const last = parts.at(-1);
    if (item === "separator") {
      if (last !== undefined && last.kind !== "separator") parts.push({ kind: "separator", key: `-${parts.length}` });
      continue;
    }
    const kind = item.isChecked === undefined ? "actions" : "checks";
    if (last?.kind === kind) parts[parts.length - 1] = { ...last, items: [...last.items, item] };
    else parts.push({ kind, key: item.id, items: [item] });
  }
  return parts.at(-1)?.kind === "separator" ? parts.slice(0, -1) : parts;
}
