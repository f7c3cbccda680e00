/** The menu of a tab. */

import { Copy, Pencil, Save, X } from "lucide-react";

import { showTab, type Tab, useWorkbench } from "@/state/workbench";
import { t } from "@/texts/index";
import type { MenuItem } from "@/ui/menu_item";

import { commandItem } from "../command_items";
import { useLayout } from "../layout";
import { askToClose, askToCloseAll } from "./close";
import { moveTab } from "./order";

export function tabItems(tab: Tab): readonly MenuItem[] {
  const { tabs } = useWorkbench.getState();
  const place = tabs.indexOf(tab);
  const others = tabs.filter((each) => each !== tab);
  const onTab = (id: string, icon: typeof X): MenuItem => {
    const item = commandItem(id, icon);
    return { ...item, isDisabled: false, onAction: () => (showTab(tab.id), item.onAction?.()) };
  };
  return [
    { id: "rename", label: t("tabs.rename"), icon: Pencil, onAction: () => useLayout.setState({ renaming: tab.id }) },
    onTab("file.save", Save),
    onTab("file.duplicate", Copy),
    "separator",
    { id: "left", label: t("tabs.left"), isDisabled: place <= 0, onAction: () => moveTab(tab.id, place - 1) },
    {
      id: "right",
      label: t("tabs.right"),
      isDisabled: place >= tabs.length - 1,
      onAction: () => moveTab(tab.id, place + 1),
    },
    "separator",
    { id: "close", label: t("command.tab.close"), icon: X, onAction: () => askToClose(tab.id) },
    {
      id: "others",
      label: t("tabs.close_others"),
      isDisabled: others.length === 0,
      onAction: () => askToCloseAll(others.map((each) => each.id)),
    },
  ];
}
