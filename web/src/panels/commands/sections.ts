/** The parts of the shortcut sheet, in their order. */
export const SECTIONS = ["run", "file", "tab", "edit", "node", "view", "problems", "help"] as const;
