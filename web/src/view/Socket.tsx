/** One socket: the dot that wires are drawn from and to. While a wire is drawn, those that fit light up. */

import { Handle, Position } from "@xyflow/react";
import { memo } from "react";

import type { NodeId } from "@/graph/document";
import { areCompatible } from "@/graph/rules";
import { classes } from "@/ui/class_names";

import { useCanvas, type WireEnd } from "./canvas_store";
import { useLift } from "./lift";
import { typeColor } from "./type_color";
import styles from "./Socket.module.css";

interface SocketProps {
  readonly node: NodeId;
  readonly handle: string;
  readonly side: "input" | "output";
  readonly type: string;
  readonly y: number;
  readonly isOptional?: boolean;
  /** The slot a wire goes into: dragging then takes the wire off. */
  readonly wiredSlot?: number | null;
  /** The whole row takes wires; and, while nothing is wired, the dot is hardly seen. */
  readonly isWidget?: boolean;
}

export const Socket = memo(function Socket(props: SocketProps) {
  const { node, handle, side, type, y, isOptional = false, wiredSlot = null, isWidget = false } = props;
  const fit = useCanvas((state) => fitOf(state.wiring, node, side, type));
  const lift = useLift(node, wiredSlot);
  return (
    <span className={styles.place} onMouseDownCapture={lift} onTouchStartCapture={lift}>
      <Handle
        id={handle}
        type={side === "input" ? "target" : "source"}
        position={side === "input" ? Position.Left : Position.Right}
        className={classes(
          styles.socket,
          isOptional && styles.optional,
          isWidget && styles.widget,
          isWidget && wiredSlot === null && !handle.startsWith("in:") && styles.virtual,
          fit === "fits" && styles.fits,
          fit === "refuses" && styles.refuses,
        )}
        style={{ top: y, ["--socket" as string]: typeColor(type) }}
      />
    </span>
  );
});

/** Whether a socket can end the wire that is drawn: by its type alone; the rest is asked when it is pointed at. */
export function fitOf(
  wiring: WireEnd | null,
  node: NodeId,
  side: "input" | "output",
  type: string,
): "fits" | "refuses" | null {
  if (wiring === null || (wiring.end.node === node && wiring.kind === side)) return null;
  const isOther = wiring.kind !== side && wiring.end.node !== node;
  return isOther && areCompatible(wiring.type, type) ? "fits" : "refuses";
}
