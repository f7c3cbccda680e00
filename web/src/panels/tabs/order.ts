/** The order of the tabs. */

import { type TabId, useWorkbench } from "@/state/workbench";

/** Puts a tab at a place among the others. */
export function moveTab(id: TabId, place: number): void {
  useWorkbench.setState((state) => {
    const from = state.tabs.findIndex((each) => each.id === id);
    const tab = state.tabs[from];
    const to = Math.max(0, Math.min(place, state.tabs.length - 1));
    if (tab === undefined || from === to) return state;
    return { tabs: state.tabs.toSpliced(from, 1).toSpliced(to, 0, tab) };
  });
}

/** The tab beside the active one, left (-1) or right (1); the last is followed by the first. */
export function neighbour(step: -1 | 1): TabId | null {
  const { tabs, active } = useWorkbench.getState();
  const place = tabs.findIndex((each) => each.id === active);
  return tabs[(place + step + tabs.length) % Math.max(1, tabs.length)]?.id ?? null;
}

export function moveActive(step: -1 | 1): void {
  const { tabs, active } = useWorkbench.getState();
  if (active !== null) moveTab(active, tabs.findIndex((each) => each.id === active) + step);
}
