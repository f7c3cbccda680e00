/** When commands can be done. */

import { activeTab } from "@/state/workbench";

export function hasTab(): boolean {
  return activeTab() !== null;
}

export function hasNodes(): boolean {
  return (activeTab()?.selection.nodes.size ?? 0) > 0;
}

export function hasSeveralNodes(): boolean {
  return (activeTab()?.selection.nodes.size ?? 0) > 1;
}

export function hasSelection(): boolean {
  const selection = activeTab()?.selection;
  return selection !== undefined && selection.nodes.size + selection.links.size + selection.groups.size > 0;
}
