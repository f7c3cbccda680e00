/** What a person prefers, kept in this browser. */

import { create } from "zustand";
import { persist } from "zustand/middleware";

export interface Preferences {
  readonly theme: "system" | "dark" | "light";
  /** A key of `texts.LANGUAGES`, or "" for the browser's. */
  readonly language: string;
  readonly snapToGrid: boolean;
  readonly gridSize: number;
  readonly showMinimap: boolean;
  /** How wires are drawn. */
  readonly wires: "curved" | "straight" | "stepped";
  /** How many times Run runs. */
  readonly runs: number;
}

export const usePreferences = create<Preferences>()(
  persist(
    (): Preferences => ({
      theme: "system",
      language: "",
      snapToGrid: false,
      gridSize: 20,
      showMinimap: true,
      wires: "curved",
      runs: 1,
    }),
    { name: "latentwire.preferences" },
  ),
);

export function prefer(change: Partial<Preferences>): void {
  usePreferences.setState(change);
}
