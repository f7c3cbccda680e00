/** What is seen: the drawers and the look. The canvas registers its own commands (view/commands). */

import type { Command } from "@/state/commands";
import { loadNodeTypes } from "@/state/node_types";
import { loadPlugins, reloadPlugins, usePlugins } from "@/state/plugins";
import { prefer } from "@/state/preferences";
import { rereadChoices } from "@/state/remote_choices";

import { type Drawer, toggleDrawer } from "../layout";

export const VIEW_COMMANDS: readonly Command[] = [
  drawer("nodes", "KeyN"),
  drawer("workflows", "KeyW"),
  drawer("gallery", "KeyG"),
  drawer("queue", "KeyQ"),
  drawer("outline", "KeyL"),
  drawer("plugins", "KeyP"),
  { id: "view.theme", section: "view", keys: [], run: switchTheme },
  { id: "view.refresh_nodes", section: "view", keys: ["KeyR"], run: refresh },
  { id: "plugins.reload", section: "view", keys: [], run: () => reloadPlugins(null), isEnabled: isIdle },
];

function drawer(name: Drawer, key: string): Command {
  return { id: `view.${name}`, section: "view", keys: [key], run: () => toggleDrawer(name) };
}

/** Everything that lists something: node types with their files, and what plugins offer at their own routes. */
async function refresh(): Promise<void> {
  await Promise.all([loadNodeTypes(), rereadChoices(), loadPlugins()]);
}

function isIdle(): boolean {
  return usePlugins.getState().reloading === null;
}

/** To the other one of dark and light, as the window is now. */
function switchTheme(): void {
  prefer({ theme: document.documentElement.dataset["theme"] === "light" ? "dark" : "light" });
}
