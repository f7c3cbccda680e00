/** Which nodes were added last, kept in this browser: they are found first. */

import { create } from "zustand";
import { persist } from "zustand/middleware";

const MOST = 12;

export const useRecent = create<{ readonly recent: readonly string[] }>()(
  persist((): { recent: readonly string[] } => ({ recent: [] }), { name: "latentwire.recent_nodes" }),
);

export function used(typeId: string): void {
  useRecent.setState(({ recent }) => ({
    recent: [typeId, ...recent.filter((each) => each !== typeId)].slice(0, MOST),
  }));
}
