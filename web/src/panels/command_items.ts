/** Menu items from commands: their words, their keys, and whether they can be done now. */

import type { LucideIcon } from "lucide-react";

import { perform, useCommands } from "@/state/commands";
import { lookUp } from "@/texts/index";
import type { MenuAction } from "@/ui/menu_item";

/** Returns: the item; disabled when nobody registered the command. */
export function commandItem(id: string, icon?: LucideIcon): MenuAction {
  const command = useCommands.getState().commands.get(id);
  return {
    id,
    label: lookUp(`command.${id}`),
    icon,
    keys: command?.keys[0],
    isDisabled: command === undefined || !(command.isEnabled?.() ?? true),
    onAction: () => perform(id),
  };
}
