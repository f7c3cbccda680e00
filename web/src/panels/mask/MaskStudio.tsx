/** The picture with its mask over it, the tools beside it, and the shortcuts of both. */

import { type KeyboardEvent, useSyncExternalStore } from "react";

import { useZoom } from "@/panels/lightbox/use_zoom";
import { ZoomBar } from "@/panels/lightbox/ZoomBar";

import { resizeBrush, setBrush, soften, useBrush } from "./brush_settings";
import styles from "./Mask.module.css";
import { MaskStage } from "./MaskStage";
import { MaskTools } from "./MaskTools";
import type { MaskPainter } from "./painter";

interface MaskStudioProps {
  readonly painter: MaskPainter;
  /** Of the picture's colours. */
  readonly address: string;
}

export function MaskStudio({ painter, address }: MaskStudioProps) {
  const state = useSyncExternalStore(painter.subscribe, painter.state);
  const zoom = useZoom(painter.mask, address);
  const onKeyDown = (event: KeyboardEvent) => {
    if (isField(event.target)) return;
    const isDone = event.ctrlKey || event.metaKey ? history(event, painter) : zoom.onKey(event) || tool(event, painter);
    if (!isDone) return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions -- shortcuts of everything inside
    <div className={styles.studio} onKeyDown={onKeyDown}>
      <MaskTools painter={painter} state={state} />
      <div className={styles.stage}>
        <MaskStage painter={painter} address={address} zoom={zoom} />
        <div className={styles.zoom}>
          <ZoomBar zoom={zoom} />
        </div>
      </div>
    </div>
  );
}

function history(event: KeyboardEvent, painter: MaskPainter): boolean {
  const key = event.key.toLowerCase();
  if (key === "z" && !event.shiftKey) painter.undo();
  else if (key === "y" || key === "z") painter.redo();
  else return false;
  return true;
}

function tool({ key, altKey }: KeyboardEvent, painter: MaskPainter): boolean {
  const deeds: Readonly<Record<string, () => void>> = {
    b: () => setBrush({ tool: "brush" }),
    e: () => setBrush({ tool: "eraser" }),
    r: () => setBrush({ tool: "rectangle" }),
    h: () => setBrush({ tool: "hand" }),
    i: () => painter.invert(),
    v: () => setBrush({ look: useBrush.getState().look === "overlay" ? "mask" : "overlay" }),
    Delete: () => painter.clear(),
    "[": () => resizeBrush(-1),
    "]": () => resizeBrush(1),
    "{": () => soften(-0.1),
    "}": () => soften(0.1),
  };
  const deed = altKey ? undefined : deeds[key.length === 1 ? key.toLowerCase() : key];
  deed?.();
  return deed !== undefined;
}

/** Letters typed there are meant for it. */
function isField(target: EventTarget): boolean {
  return target instanceof HTMLInputElement && target.type !== "range" && target.type !== "radio";
}
