/** A wire: a line in the colour of its type, with a wider one around it that takes the pointer. */

import type { ConnectionLineComponentProps, EdgeProps } from "@xyflow/react";
import { memo } from "react";

import { usePreferences } from "@/state/preferences";
import { classes } from "@/ui/class_names";

import { useCanvas } from "./canvas_store";
import type { FlowWire } from "./flow_edges";
import { typeColor } from "./type_color";
import { wirePath } from "./wire_path";
import styles from "./Wire.module.css";

export const Wire = memo(function Wire(props: EdgeProps<FlowWire>) {
  const { id, sourceX: x1, sourceY: y1, targetX: x2, targetY: y2, selected, data } = props;
  const style = usePreferences((state) => state.wires);
  const isLifted = useCanvas((state) => state.lifted === id);
  const path = wirePath({ x1, y1, x2, y2 }, style);
  return (
    <g
      className={classes(
        styles.wire,
        selected && styles.selected,
        data?.isMuted && styles.muted,
        isLifted && styles.lifted,
      )}
      style={{ ["--wire" as string]: typeColor(data?.type ?? "*") }}
      data-link={id}
    >
      <path className={styles.reach} d={path} />
      <path className={styles.line} d={path} />
    </g>
  );
});

/** The wire being drawn. */
export function DrawnWire({ fromX, fromY, toX, toY, connectionStatus }: ConnectionLineComponentProps) {
  const style = usePreferences((state) => state.wires);
  const wiring = useCanvas((state) => state.wiring);
  const isBackwards = wiring?.kind === "input";
  const ends = isBackwards ? { x1: toX, y1: toY, x2: fromX, y2: fromY } : { x1: fromX, y1: fromY, x2: toX, y2: toY };
  return (
    <g
      className={classes(styles.wire, styles.drawn, connectionStatus === "invalid" && styles.refused)}
      style={{ ["--wire" as string]: typeColor(wiring?.type ?? "*") }}
    >
      <path className={styles.line} d={wirePath(ends, style)} />
      <circle className={styles.tip} cx={toX} cy={toY} r={5} />
    </g>
  );
}
