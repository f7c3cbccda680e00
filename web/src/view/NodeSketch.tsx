/** What stands in for a node's sockets and widgets until the canvas stands still: names and values as plain text. */

import { memo } from "react";

import type { Node } from "@/graph/document";
import { type NodeLayout, SOCKET_ROW } from "@/graph/geometry";

import { typeColor } from "./type_color";
import { shownValue } from "./shown_value";
import styles from "./NodeCard.module.css";

interface SketchProps {
  readonly node: Node;
  readonly layout: NodeLayout;
}

export const NodeSketch = memo(function NodeSketch({ node, layout }: SketchProps) {
  return (
    <>
      {layout.rows.map((slot) => (
        <SketchSocket key={slot} y={layout.inputs[slot] ?? 0} slot={node.inputs[slot]} side={styles.left ?? ""} />
      ))}
      {node.outputs.map((slot, i) => (
        // oxlint-disable-next-line react/no-array-index-key -- a slot is its place
        <SketchSocket key={i} y={layout.outputs[i] ?? 0} slot={slot} side={styles.right ?? ""} />
      ))}
      {layout.widgets.map(({ input, inner, y, height }) => (
        <div key={`${inner ?? ""} ${input.name}`} className={styles.sketch} style={{ top: y, height: height - 4 }}>
          <span>{input.name}</span>
          <span>{inner === null ? shownValue(node.values[input.name]) : ""}</span>
        </div>
      ))}
    </>
  );
});

interface SketchSocketProps {
  readonly slot: { readonly name: string; readonly label: string | null; readonly type: string } | undefined;
  readonly y: number;
  readonly side: string;
}

function SketchSocket({ slot, y, side }: SketchSocketProps) {
  if (slot === undefined) return null;
  return (
    <div className={side} style={{ top: y - SOCKET_ROW / 2 }}>
      <span className={styles.spot} style={{ background: typeColor(slot.type) }} />
      {slot.label ?? slot.name}
    </div>
  );
}
