/** Going between the open workflows. Ctrl+Tab, Ctrl+W and Ctrl+T belong to the browser. */

import type { Command } from "@/state/commands";
import { activeTab, showTab, useWorkbench } from "@/state/workbench";

import { useLayout } from "../layout";
import { askToClose } from "../tabs/close";
import { moveActive, neighbour } from "../tabs/order";
import { hasTab } from "./conditions";

export const TAB_COMMANDS: readonly Command[] = [
  { id: "tab.next", section: "tab", keys: ["Alt+PageDown"], run: () => show(1), isEnabled: hasSeveral },
  { id: "tab.previous", section: "tab", keys: ["Alt+PageUp"], run: () => show(-1), isEnabled: hasSeveral },
  {
    id: "tab.move_right",
    section: "tab",
    keys: ["Alt+Shift+PageDown"],
    run: () => moveActive(1),
    isEnabled: hasSeveral,
  },
  { id: "tab.move_left", section: "tab", keys: ["Alt+Shift+PageUp"], run: () => moveActive(-1), isEnabled: hasSeveral },
  { id: "tab.rename", section: "tab", keys: ["Shift+F2"], run: rename, isEnabled: hasTab },
  { id: "tab.close", section: "tab", keys: ["Alt+KeyW"], run: close, isEnabled: hasTab },
];

function hasSeveral(): boolean {
  return useWorkbench.getState().tabs.length > 1;
}

function show(step: 1 | -1): void {
  const id = neighbour(step);
  if (id !== null) showTab(id);
}

function rename(): void {
  useLayout.setState({ renaming: activeTab()?.id ?? null });
}

function close(): void {
  const tab = activeTab();
  if (tab !== null) askToClose(tab.id);
}
