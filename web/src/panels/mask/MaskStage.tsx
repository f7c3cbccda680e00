/** Where one paints: the picture, the mask drawn over it, and the brush's outline. */

import { useCallback, useEffect, useId, useRef, useState } from "react";

import type { Zoom } from "@/panels/lightbox/use_zoom";
import { PIXELATED_FROM, type Point, type View } from "@/panels/lightbox/zoom";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";

import { useBrush } from "./brush_settings";
import styles from "./Mask.module.css";
import { MaskPicture } from "./mask_picture";
import type { MaskPainter } from "./painter";
import { usePainting } from "./use_painting";

interface MaskStageProps {
  readonly painter: MaskPainter;
  readonly address: string;
  readonly zoom: Zoom;
}

export function MaskStage({ painter, address, zoom }: MaskStageProps) {
  const { tool, look, opacity } = useBrush();
  const help = useId();
  const canvas = useDrawn(painter, zoom, look === "overlay" ? RED : WHITE);
  const painting = usePainting(painter, zoom);
  const { cursor, corner } = painting;
  const { setFrame, view } = zoom;
  const setStage = useCallback(
    (element: HTMLDivElement | null) => {
      setFrame(element);
      element?.focus({ preventScroll: true }); // its keys work at once
    },
    [setFrame],
  );
  const { width, height } = painter.mask;
  const place =
    view === null ? null : { width, height, transform: `translate(${view.x}px, ${view.y}px) scale(${view.scale})` };
  const pixelated = view !== null && view.scale > PIXELATED_FROM && styles.pixelated;
  return (
    <>
      {/* eslint-disable jsx-a11y/no-noninteractive-tabindex, jsx-a11y/no-noninteractive-element-interactions -- it is painted on by keys too */}
      <div
        ref={setStage}
        role="application"
        aria-label={t("mask.stage")}
        aria-roledescription={t("mask.stage_role")}
        aria-describedby={help}
        tabIndex={0}
        className={styles.frame}
        data-tool={tool}
        onContextMenu={(event) => event.preventDefault()}
        onKeyDown={painting.onKeyDown}
        onKeyUp={painting.onKeyUp}
        onBlur={painting.onBlur}
        {...painting.pointers}
      >
        {place !== null && look === "overlay" && (
          <img className={classes(styles.picture, pixelated)} style={place} src={address} alt="" draggable={false} />
        )}
        {place !== null && look === "mask" && <div className={styles.black} style={place} />}
        <canvas ref={canvas} className={styles.canvas} style={{ opacity: look === "overlay" ? opacity : 1 }} />
        {view !== null && cursor !== null && <ToolAtCursor view={view} cursor={cursor} corner={corner} />}
      </div>
      {/* eslint-enable jsx-a11y/no-noninteractive-tabindex, jsx-a11y/no-noninteractive-element-interactions */}
      <span id={help} className={styles.help}>
        {t("mask.help")}
      </span>
      <span className={styles.help} aria-live="polite">
        {cursor === null ? "" : t("mask.at", { x: Math.round(cursor.x), y: Math.round(cursor.y) })}
      </span>
    </>
  );
}

/** Of the overlay: seen on skin, sky and leaves alike. In the black and white look what is masked is white. */
const RED = "#ff2d20";
const WHITE = "#ffffff";

function useDrawn(painter: MaskPainter, { view, frame }: Zoom, color: string) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [picture] = useState(() => new MaskPicture());
  useEffect(() => {
    let next = 0;
    const draw = () => {
      if (canvas.current === null || view === null || frame === null) return;
      picture.draw(canvas.current, painter.mask, view, frame, color, painter.takeChanged());
    };
    const drawSoon = () => {
      cancelAnimationFrame(next);
      next = requestAnimationFrame(draw);
    };
    drawSoon();
    const stop = painter.subscribe(drawSoon);
    return () => {
      stop();
      cancelAnimationFrame(next);
    };
  }, [painter, picture, view, frame, color]);
  return canvas;
}

interface ToolAtCursorProps {
  readonly view: View;
  readonly cursor: Point;
  /** The other corner of a rectangle that is being drawn. */
  readonly corner: Point | null;
}

/** What shows where the tool works. */
function ToolAtCursor({ view, cursor, corner }: ToolAtCursorProps) {
  const { tool, size, softness } = useBrush();
  if (tool === "hand") return null;
  const [x, y] = [view.x + cursor.x * view.scale, view.y + cursor.y * view.scale];
  if (tool !== "rectangle") return <BrushOutline x={x} y={y} size={size * view.scale} inner={1 - softness} />;
  return (
    <>
      <span className={styles.cross} style={{ transform: `translate(${x}px, ${y}px)` }} />
      {corner !== null && (
        <span
          className={styles.rectangle}
          style={{
            left: view.x + Math.min(corner.x, cursor.x) * view.scale,
            top: view.y + Math.min(corner.y, cursor.y) * view.scale,
            width: Math.abs(corner.x - cursor.x) * view.scale,
            height: Math.abs(corner.y - cursor.y) * view.scale,
          }}
        />
      )}
    </>
  );
}

interface BrushOutlineProps {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  /** Which part of it is full strength. */
  readonly inner: number;
}

function BrushOutline({ x, y, size, inner }: BrushOutlineProps) {
  const shown = Math.max(4, size);
  return (
    <span
      className={styles.brush}
      style={{ width: shown, height: shown, transform: `translate(${x - shown / 2}px, ${y - shown / 2}px)` }}
    >
      {shown > 16 && inner < 0.98 && (
        <span className={styles.inner} style={{ width: `${inner * 100}%`, height: `${inner * 100}%` }} />
      )}
    </span>
  );
}
