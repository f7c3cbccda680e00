/** Where a node that ends a workflow will show its picture, until there is one. */

import { Image } from "lucide-react";

import type { Node } from "@/graph/document";
import { type NodeLayout, SOCKET_ROW } from "@/graph/geometry";
import { useNodeTypes } from "@/state/node_types";
import { Icon } from "@/ui/Icon";

import styles from "./NodeMedia.module.css";

/** Less than this is only the node's edge. */
const LEAST = 96;
const GAP = 6;

export function PicturePlace({ node, layout }: { readonly node: Node; readonly layout: NodeLayout }) {
  const isOutput = useNodeTypes((state) => state.types.get(node.type)?.isOutput ?? false);
  const top = endOf(layout);
  const height = layout.height - top - GAP;
  if (!isOutput || layout.form !== "box" || height < LEAST) return null;
  return (
    <div className={styles.place} style={{ top, height }} aria-hidden="true">
      <Icon icon={Image} size={28} />
    </div>
  );
}

/** The end of the last row and widget. */
function endOf({ rows, inputs, outputs, widgets }: NodeLayout): number {
  const sockets = [...rows.map((slot) => inputs[slot] ?? 0), ...outputs].map((middle) => middle + SOCKET_ROW / 2);
  return Math.max(0, ...sockets, ...widgets.map((each) => each.y + each.height));
}
