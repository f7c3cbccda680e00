/** Everything that runs beside what is drawn; begun once, by main.tsx. */

import { start as startKeeping } from "@/state/keeping";
import { watchProblems } from "@/state/problem_watch";
import { watchPlugins } from "@/state/plugins";
import { start as startSession } from "@/state/session";
import { useCanvas } from "@/view/canvas_store";

import { registerCommands } from "./commands/all";
import { tellUnkept } from "./files/unkept";
import { followPointer } from "./palette/open_here";
import { openPalette } from "./palette/request";
import { watchChanges } from "./run/run_on_change";

export function start(): void {
  registerCommands();
  useCanvas.setState({ openPalette });
  followPointer();
  watchChanges();
  watchProblems();
  watchPlugins();
  startSession();
  tellUnkept();
  startKeeping();
}
