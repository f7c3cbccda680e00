/** Finding one's way: the command search, the shortcut sheet, settings, and the list of problems. */

import type { Command } from "@/state/commands";

import { ask } from "../layout";
import { problemsShown, stepThroughProblems } from "../problems/place";

const hasProblems = (): boolean => problemsShown().length > 0;

export const HELP_COMMANDS: readonly Command[] = [
  { id: "problems.next", section: "problems", keys: ["F8"], run: () => stepThroughProblems(1), isEnabled: hasProblems },
  {
    id: "problems.previous",
    section: "problems",
    keys: ["Shift+F8"],
    run: () => stepThroughProblems(-1),
    isEnabled: hasProblems,
  },
  { id: "help.commands", section: "help", keys: ["Mod+KeyK"], run: () => ask({ kind: "commands" }) },
  { id: "help.shortcuts", section: "help", keys: ["?"], run: () => ask({ kind: "shortcuts" }) },
  { id: "help.settings", section: "help", keys: ["Mod+Comma"], run: () => ask({ kind: "settings" }) },
  { id: "help.about", section: "help", keys: [], run: () => ask({ kind: "about" }) },
];
