/** Running and stopping. */

import { executionId } from "@/graph/document";
import type { Command } from "@/state/commands";
import { nodeTypes } from "@/state/node_types";
import { usePreferences } from "@/state/preferences";
import { useRun } from "@/state/run";
import { clearWaiting, run, stop } from "@/state/running";
import { activeTab, shownGraph } from "@/state/workbench";

import { switchRunOnChange } from "../run/run_on_change";
import { hasTab } from "./conditions";

export const RUN_COMMANDS: readonly Command[] = [
  { id: "run.run", section: "run", keys: ["Mod+Enter"], run: () => start({}), isEnabled: hasTab },
  { id: "run.front", section: "run", keys: ["Mod+Shift+Enter"], run: () => start({ front: true }), isEnabled: hasTab },
  {
    id: "node.run_to",
    section: "run",
    keys: ["Alt+Enter"],
    run: runTargets,
    isEnabled: () => selectedOutputs().length > 0,
  },
  {
    id: "run.stop",
    section: "run",
    keys: ["Mod+Alt+Enter"],
    run: async () => void (await stop()),
    isEnabled: isRunning,
  },
  { id: "run.clear", section: "run", keys: [], run: async () => void (await clearWaiting()), isEnabled: hasWaiting },
  { id: "run.on_change", section: "run", keys: [], run: switchRunOnChange },
];

async function start(options: { readonly front?: boolean; readonly targets?: readonly string[] }): Promise<void> {
  await run({ times: usePreferences.getState().runs, ...options });
}

async function runTargets(): Promise<void> {
  await start({ targets: selectedOutputs() });
}

function isRunning(): boolean {
  return useRun.getState().active.some((each) => each.status === "in_progress");
}

function hasWaiting(): boolean {
  return useRun.getState().active.some((each) => each.status === "pending");
}

/** The selected nodes that draw or save something, by their execution ids. */
function selectedOutputs(): readonly string[] {
  const tab = activeTab();
  if (tab === null) return [];
  const { nodes } = shownGraph(tab);
  const isOutput = (id: string): boolean => nodeTypes().get(nodes.get(id)?.type ?? "")?.isOutput === true;
  return [...tab.selection.nodes].filter(isOutput).map((id) => executionId(tab.path, id));
}
