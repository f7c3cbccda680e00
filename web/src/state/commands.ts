/**
 * Everything a person can do, by name: menus, buttons, shortcuts, the shortcut sheet and the command search all show
 * the same list. Rooms register their commands when the editor starts.
 */

import { create } from "zustand";

export interface Command {
  /** "edit.undo"; its label is the text "command.edit.undo". */
  readonly id: string;
  /** Which part of the shortcut sheet it stands in: "file", "edit", "view", "node", "run" … (text "commands.<section>"). */
  readonly section: string;
  /** Keys, "Mod+Shift+KeyZ": Mod is Ctrl or ⌘, then a KeyboardEvent.code, or a KeyboardEvent.key such as "?". */
  readonly keys: readonly string[];
  readonly run: () => void | Promise<void>;
  /** Whether it can be done now; left out: always. */
  readonly isEnabled?: () => boolean;
}

export const useCommands = create<{ readonly commands: ReadonlyMap<string, Command> }>()(() => ({
  commands: new Map(),
}));

export function register(commands: readonly Command[]): void {
  useCommands.setState((state) => ({
    commands: new Map([...state.commands, ...commands.map((each) => [each.id, each] as const)]),
  }));
}

/** Does what a command does, if it can be done now. */
export function perform(id: string): void {
  const command = useCommands.getState().commands.get(id);
  if (command !== undefined && (command.isEnabled?.() ?? true)) void command.run();
}
