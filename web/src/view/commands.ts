/** What can be done to the view: registered when the canvas is first shown. */

import { prefer, usePreferences } from "@/state/preferences";
import { type Command, register } from "@/state/commands";
import { activeTab, goTo } from "@/state/workbench";

import { setCanvas, useCanvas } from "./canvas_store";
import { focusAround } from "./node_keys";

const hasTab = (): boolean => activeTab() !== null;
const selected = (): readonly string[] => [...(activeTab()?.selection.nodes ?? [])];

function view(id: string, keys: readonly string[], run: () => void, isEnabled: () => boolean = hasTab): Command {
  return { id, section: id.startsWith("view.") ? "view" : "node", keys, run, isEnabled };
}

export function registerViewCommands(): void {
  register([
    view("view.fit", ["Period"], () => {
      const ids = selected();
      useCanvas.getState().fit(ids.length > 0 ? ids : undefined);
    }),
    view("view.fit_all", ["Shift+Period"], () => useCanvas.getState().fit()),
    view(
      "view.fit_selection",
      [],
      () => useCanvas.getState().fit(selected()),
      () => selected().length > 0,
    ),
    view("view.zoom_in", ["Mod+Equal", "Alt+Equal"], () => useCanvas.getState().zoomIn()),
    view("view.zoom_out", ["Mod+Minus", "Alt+Minus"], () => useCanvas.getState().zoomOut()),
    view("view.minimap", ["Alt+KeyM"], () => prefer({ showMinimap: !usePreferences.getState().showMinimap })),
    view("view.snap", ["Alt+KeyG"], () => prefer({ snapToGrid: !usePreferences.getState().snapToGrid })),
    view("view.focus_next", ["Alt+BracketRight"], () => focusAround(1)),
    view("view.focus_previous", ["Alt+BracketLeft"], () => focusAround(-1)),
    view("node.rename", ["F2"], renameSelected, () => selected().length === 1 || groups().length === 1),
    view("node.connect", ["KeyC"], listSockets, () => selected().length === 1),
    view(
      "subgraph.leave",
      ["Mod+ArrowUp", "Alt+ArrowUp"],
      () => goTo(activeTab()?.path.slice(0, -1) ?? []),
      () => (activeTab()?.path.length ?? 0) > 0,
    ),
  ]);
}

function groups(): readonly string[] {
  return [...(activeTab()?.selection.groups ?? [])];
}

function renameSelected(): void {
  const [node] = selected();
  const [group] = groups();
  if (node !== undefined) setCanvas({ renaming: { kind: "node", id: node } });
  else if (group !== undefined) setCanvas({ renaming: { kind: "group", id: group } });
}

function listSockets(): void {
  const [node] = selected();
  if (node !== undefined) setCanvas({ listing: { node, end: null } });
}
