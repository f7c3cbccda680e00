/** The drawer beside the rail: one at a time, as wide as the person wants it. On narrow screens it lies over the canvas. */

import { type KeyboardEvent, type PointerEvent, useState } from "react";

import { t } from "@/texts/index";

import styles from "./Drawers.module.css";
import { Gallery } from "./gallery/Gallery";
import { type Drawer, MAX_DRAWER, MIN_DRAWER, resizeDrawer, showDrawer, useLayout } from "./layout";
import { Outline } from "./outline/Outline";
import { NodeCatalog } from "./palette/NodeCatalog";
import { PluginsPanel } from "./plugins/PluginsPanel";
import { QueuePanel } from "./queue/QueuePanel";
import { Workflows } from "./workflows/Workflows";

const STEP = 24;

function close(): void {
  showDrawer(null);
}

export function Drawers() {
  const drawer = useLayout((state) => state.drawer);
  const width = useLayout((state) => state.drawerWidth);
  if (drawer === null) return null;
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- Escape closes it from anywhere inside
    <aside
      className={styles.drawer}
      style={{ width: `${width / 16}rem` }}
      aria-label={t(`drawer.${drawer}`)}
      onKeyDown={(event) => event.key === "Escape" && !event.defaultPrevented && close()}
    >
      <div className={styles.content}>
        <DrawerContent drawer={drawer} onClose={close} />
      </div>
      <Edge width={width} />
    </aside>
  );
}

function DrawerContent({ drawer, onClose }: { readonly drawer: Drawer; readonly onClose: () => void }) {
  switch (drawer) {
    case "nodes":
      return <NodeCatalog onClose={onClose} />;
    case "workflows":
      return <Workflows onClose={onClose} />;
    case "gallery":
      return <Gallery onClose={onClose} />;
    case "queue":
      return <QueuePanel onClose={onClose} />;
    case "outline":
      return <Outline onClose={onClose} />;
    case "plugins":
      return <PluginsPanel onClose={onClose} />;
  }
}

/** The edge that is pulled, or moved with the arrow keys. */
function Edge({ width }: { readonly width: number }) {
  const [from, setFrom] = useState<{ x: number; width: number } | null>(null);
  const begin = (event: PointerEvent<HTMLDivElement>): void => {
    event.currentTarget.setPointerCapture(event.pointerId);
    setFrom({ x: event.clientX, width });
  };
  const press = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowLeft" ? -STEP : event.key === "ArrowRight" ? STEP : 0;
    if (step === 0) return;
    event.preventDefault();
    resizeDrawer(width + step);
  };
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- a separator that can be moved is a control
    <div
      role="separator"
      aria-orientation="vertical"
      aria-label={t("drawer.edge")}
      aria-valuenow={width}
      aria-valuemin={MIN_DRAWER}
      aria-valuemax={MAX_DRAWER}
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- as above
      tabIndex={0}
      className={styles.edge}
      onPointerDown={begin}
      onPointerMove={(event) => from !== null && resizeDrawer(from.width + event.clientX - from.x)}
      onPointerUp={() => setFrom(null)}
      onPointerCancel={() => setFrom(null)}
      onDoubleClick={() => resizeDrawer(320)}
      onKeyDown={press}
    />
  );
}
