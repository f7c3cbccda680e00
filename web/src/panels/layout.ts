/** How the window is laid out: which drawer is open and how wide, and what lies over everything. */

import { create } from "zustand";
import { persist } from "zustand/middleware";

import type { TabId } from "@/state/workbench";

const DRAWERS = ["nodes", "workflows", "gallery", "queue", "outline", "plugins"] as const;
export type Drawer = (typeof DRAWERS)[number];

/** What asks for an answer, over everything else. */
export type Question =
  | { readonly kind: "commands" | "shortcuts" | "settings" | "about" }
  /** `thenClose`: the tabs that are to be closed when it is saved. */
  | { readonly kind: "save"; readonly tab: TabId; readonly thenClose: readonly TabId[] }
  /** `others`: the tabs that are to be closed after it. */
  | { readonly kind: "close"; readonly tab: TabId; readonly others: readonly TabId[] };

interface Layout {
  readonly drawer: Drawer | null;
  readonly drawerWidth: number;
  readonly problemsOpen: boolean;
  readonly question: Question | null;
  /** The tab whose name is being typed. */
  readonly renaming: TabId | null;
}

export const MIN_DRAWER = 240;
export const MAX_DRAWER = 720;

export const useLayout = create<Layout>()(
  persist((): Layout => ({ drawer: null, drawerWidth: 320, problemsOpen: false, question: null, renaming: null }), {
    name: "latentwire.layout",
    partialize: ({ drawer, drawerWidth }) => ({ drawer, drawerWidth }),
  }),
);

export function toggleDrawer(drawer: Drawer): void {
  useLayout.setState((state) => ({ drawer: state.drawer === drawer ? null : drawer }));
}

export function showDrawer(drawer: Drawer | null): void {
  useLayout.setState({ drawer });
}

export function resizeDrawer(width: number): void {
  useLayout.setState({ drawerWidth: Math.round(Math.min(MAX_DRAWER, Math.max(MIN_DRAWER, width))) });
}

export function ask(question: Question | null): void {
  useLayout.setState({ question });
}
