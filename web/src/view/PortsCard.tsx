/** One side of a sub-graph's boundary, seen from inside: its ports, and a free place that makes a new one. */

import type { NodeProps } from "@xyflow/react";
import { memo } from "react";

import { INPUT_NODE } from "@/graph/document";
import { SOCKET_ROW } from "@/graph/geometry";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";

import { inHandle, outHandle, type PortsNode } from "./flow_nodes";
import { PortName } from "./PortName";
import { Socket } from "./Socket";
import styles from "./NodeCard.module.css";

export const PortsCard = memo(function PortsCard({ data, selected }: NodeProps<PortsNode>) {
  const { id, ports, layout } = data;
  const isInput = id === INPUT_NODE;
  const places = isInput ? layout.outputs : layout.inputs;
  const title = t(isInput ? "canvas.ports.inputs" : "canvas.ports.outputs");
  return (
    <div
      role="group"
      aria-label={title}
      data-node={id}
      className={classes(styles.card, styles.ports, selected && styles.selected)}
      style={{ width: layout.width, height: layout.height }}
    >
      <div className={styles.portsTitle}>{title}</div>
      {places.map((y, i) => {
        const port = ports[i];
        const type = port?.type ?? "*";
        return (
          // oxlint-disable-next-line react/no-array-index-key -- a port is its place
          <div key={i}>
            <span className={isInput ? styles.right : styles.left} style={{ top: y - SOCKET_ROW / 2 }}>
              {port === undefined ? (
                <em className={styles.newPort}>{t("canvas.ports.new")}</em>
              ) : (
                <PortName port={port} side={isInput ? "input" : "output"} />
              )}
            </span>
            <Socket
              node={id}
              handle={isInput ? outHandle(i) : inHandle(i)}
              side={isInput ? "output" : "input"}
              type={type}
              y={y}
              isOptional={port === undefined}
            />
          </div>
        );
      })}
    </div>
  );
});
