/** The canvas: the shown graph of the active tab, the way to it, its menus, and wiring by keyboard. */

import { ReactFlowProvider } from "@xyflow/react";
import { useMemo } from "react";

import { NOTHING_SELECTED } from "@/graph/document";
import { useNodeTypes } from "@/state/node_types";
import { useRun } from "@/state/run";
import { currentTab, shownGraph, useTab, useWorkbench } from "@/state/workbench";
import { t } from "@/texts/index";
import { ContextMenu } from "@/ui/Menu";

import { Breadcrumb } from "./Breadcrumb";
import { setCanvas, useCanvas } from "./canvas_store";
import { registerViewCommands } from "./commands";
import { Flow } from "./Flow";
import type { Made, Scene } from "./flow_nodes";
import { itemsOf } from "./menu_items";
import { useLongPress } from "./long_press";
import { type Place, PlaceContext } from "./place";
import { madeIn, sameMade } from "./scene";
import { WireList } from "./WireList";
import { Welcome } from "./Welcome";
import styles from "./Canvas.module.css";

registerViewCommands();

export function Canvas() {
  const scene = useScene();
  const place = useShownPlace();
  const selection = useTab((tab) => tab.selection) ?? NOTHING_SELECTED;
  const wiring = useCanvas((state) => state.wiring !== null);
  const longPress = useLongPress();
  if (scene === null || place === null) return null;
  return (
    <PlaceContext value={place}>
      <div className={styles.canvas} data-wiring={wiring ? "" : undefined} {...longPress}>
        {/* Another graph is another flow: nothing of the one before is kept or compared. */}
        <ReactFlowProvider key={`${place.documentId} ${place.graphId} ${place.path.join(":")}`}>
          <Flow scene={scene} selection={selection} />
        </ReactFlowProvider>
        {scene.graph.nodes.size === 0 && place.path.length === 0 && <Welcome />}
        <Breadcrumb />
        <OpenMenu />
        <WireList />
      </div>
    </PlaceContext>
  );
}

function OpenMenu() {
  const menu = useCanvas((state) => state.menu);
  const items = useMemo(() => (menu === null ? [] : itemsOf(menu)), [menu]);
  return (
    <ContextMenu
      at={menu?.at ?? null}
      items={items}
      onClose={() => setCanvas({ menu: null })}
      label={t("canvas.menu")}
    />
  );
}

const NOTHING_MADE: Made = new Map();

function useScene(): Scene | null {
  const document = useTab((tab) => tab.history.present);
  const graph = useTab(shownGraph);
  const types = useNodeTypes((state) => state.types);
  const made = useMade();
  return useMemo(
    () => (document === null || graph === null ? null : { document, graph, types, made }),
    [document, graph, types, made],
  );
}

let lastMade: Made = NOTHING_MADE;

/** The same object until another node has something to show. */
function useMade(): Made {
  return useRun((state) => {
    const tab = currentTab(useWorkbench.getState());
    const made =
      tab === null ? NOTHING_MADE : madeIn(state.nodes.get(tab.history.present.id), tab.path, shownGraph(tab));
    if (!sameMade(lastMade, made)) lastMade = made;
    return lastMade;
  });
}

function useShownPlace(): Place | null {
  const documentId = useTab((tab) => tab.history.present.id);
  const graphId = useTab((tab) => shownGraph(tab).id);
  const path = useTab((tab) => tab.path);
  return useMemo(
    () => (documentId === null || graphId === null || path === null ? null : { documentId, graphId, path }),
    [documentId, graphId, path],
  );
}
