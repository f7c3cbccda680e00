/** The map in the corner: the graph, drawn once per change, and the view as a frame that only moves. */

import { useStoreApi } from "@xyflow/react";
import { type PointerEvent, useEffect, useMemo, useRef } from "react";

import { around, type Rect } from "@/graph/geometry";
import { t } from "@/texts/index";

import { drawable } from "./color";
import { portRects, rectIn, type Scene } from "./flow_nodes";
import { palette, refreshPalette } from "./palette";
import styles from "./Overview.module.css";

const WIDTH = 192;
const HEIGHT = 128;
const MARGIN = 10;
/** Between the frame and the map's border. */
const EDGE = 3;

export function Overview({ scene, onGo }: { readonly scene: Scene; readonly onGo: (x: number, y: number) => void }) {
  const sheet = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const store = useStoreApi();
  const map = useMemo(() => mapOf(scene), [scene]);
  useEffect(() => drawMap(sheet.current, scene, map), [scene, map]);
  useEffect(() => {
    let last = "";
    const place = (): void => {
      const { transform, width, height } = store.getState();
      const [x, y, zoom] = transform;
      const box = within({
        x: (-x / zoom - map.left) * map.scale,
        y: (-y / zoom - map.top) * map.scale,
        width: (width / zoom) * map.scale,
        height: (height / zoom) * map.scale,
      });
      const key = `translate(${box.x}px,${box.y}px)`;
      const size = `${box.width}px ${box.height}px`;
      if (key + size === last || frame.current === null) return;
      last = key + size;
      const { style } = frame.current;
      style.transform = key;
      style.width = `${box.width}px`;
      style.height = `${box.height}px`;
    };
    place();
    return store.subscribe(place);
  }, [store, map]);
  const go = (event: PointerEvent<HTMLDivElement>): void => {
    if (event.buttons !== 1) return;
    const box = event.currentTarget.getBoundingClientRect();
    onGo((event.clientX - box.left) / map.scale + map.left, (event.clientY - box.top) / map.scale + map.top);
  };
  return (
    <div
      className={styles.overview}
      role="img"
      aria-label={t("canvas.minimap")}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        go(event);
      }}
      onPointerMove={go}
    >
      <canvas ref={sheet} width={WIDTH * 2} height={HEIGHT * 2} />
      <div ref={frame} className={styles.frame} />
    </div>
  );
}

/** The part of the frame that is on the map, so that it is closed on every side however far one looks. */
function within({ x, y, width, height }: Rect): Rect {
  const [left, top] = [clamp(x, WIDTH), clamp(y, HEIGHT)];
  return { x: left, y: top, width: clamp(x + width, WIDTH) - left, height: clamp(y + height, HEIGHT) - top };
}

function clamp(place: number, most: number): number {
  return Math.min(Math.max(place, EDGE), most - EDGE);
}

interface MapPlace {
  readonly left: number;
  readonly top: number;
  readonly scale: number;
}

function mapOf(scene: Scene): MapPlace {
  const all = around([...rectsOf(scene), ...scene.graph.groups.values()]) ?? { x: 0, y: 0, width: 1000, height: 700 };
  const scale = Math.min((WIDTH - 2 * MARGIN) / all.width, (HEIGHT - 2 * MARGIN) / all.height, 0.2);
  const left = all.x + all.width / 2 - WIDTH / 2 / scale;
  const top = all.y + all.height / 2 - HEIGHT / 2 / scale;
  return { left, top, scale };
}

function rectsOf(scene: Scene): readonly Rect[] {
  return [...[...scene.graph.nodes.values()].map((node) => rectIn(scene, node)), ...portRects(scene.graph)];
}

function drawMap(sheet: HTMLCanvasElement | null, scene: Scene, map: MapPlace): void {
  const pen = sheet?.getContext("2d");
  if (!sheet || !pen) return;
  refreshPalette();
  pen.setTransform(2, 0, 0, 2, 0, 0);
  pen.clearRect(0, 0, WIDTH, HEIGHT);
  const fill = ({ x, y, width, height }: Rect): void =>
    pen.fillRect(
      (x - map.left) * map.scale,
      (y - map.top) * map.scale,
      Math.max(1.5, width * map.scale),
      Math.max(1.5, height * map.scale),
    );
  pen.globalAlpha = 0.2;
  for (const group of scene.graph.groups.values()) {
    pen.fillStyle = drawable(group.color) ?? palette("--text-faint");
    fill(group);
  }
  pen.globalAlpha = 1;
  pen.fillStyle = palette("--line");
  for (const rect of portRects(scene.graph)) fill(rect);
  for (const node of scene.graph.nodes.values()) {
    pen.fillStyle = drawable(node.color) ?? palette("--line-strong");
    fill(rectIn(scene, node));
  }
}
