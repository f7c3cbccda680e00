/** What is seen: the drawers and the look. The canvas registers its own commands (view/commands). */

import type { Command } from "@/state/commands";
import { loadNodeTypes } from "@/state/node_types";
import { prefer } from "@/state/preferences";

import { type Drawer, toggleDrawer } from "../layout";

export const VIEW_COMMANDS: readonly Command[] = [
  drawer("nodes", "KeyN"),
  drawer("workflows", "KeyW"),
  drawer("gallery", "KeyG"),
  drawer("queue", "KeyQ"),
  drawer("outline", "KeyL"),
  { id: "view.theme", section: "view", keys: [], run: switchTheme },
  { id: "view.refresh_nodes", section: "view", keys: ["KeyR"], run: () => loadNodeTypes() },
];

function drawer(name: Drawer, key: string): Command {
  return { id: `view.${name}`, section: "view", keys: [key], run: () => toggleDrawer(name) };
}

/** To the other one of dark and light, as the window is now. */
function switchTheme(): void {
  prefer({ theme: document.documentElement.dataset["theme"] === "light" ? "dark" : "light" });
}
