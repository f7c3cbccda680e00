/** A workflow as a small drawing: its nodes as boxes, its wires as lines in the colours of their types. */

import { type Graph, type Node, TITLE_HEIGHT } from "@/graph/document";

import styles from "./Workflows.module.css";

export function Sketch({ graph }: { readonly graph: Graph | null }) {
  if (graph === null || graph.nodes.size === 0) return <span className={styles.sketch} />;
  const nodes = [...graph.nodes.values()];
  const left = Math.min(...nodes.map((each) => each.x));
  const top = Math.min(...nodes.map((each) => each.y - TITLE_HEIGHT));
  const right = Math.max(...nodes.map((each) => each.x + each.width));
  const bottom = Math.max(...nodes.map((each) => each.y + each.height));
  const margin = 40;
  const box = [left - margin, top - margin, right - left + 2 * margin, bottom - top + 2 * margin];
  return (
    <svg className={styles.sketch} viewBox={box.join(" ")} aria-hidden focusable="false">
      {[...graph.links.values()].map((link) => {
        const [from, to] = [graph.nodes.get(link.origin), graph.nodes.get(link.target)];
        if (from === undefined || to === undefined) return null;
        return (
          <path
            key={link.id}
            d={wire(from, link.originSlot, to, link.targetSlot)}
            fill="none"
            stroke={`var(--type-${link.type}, var(--type-any))`}
            strokeWidth={10}
          />
        );
      })}
      {nodes.map((node) => (
        <g key={node.id}>
          <rect
            className={styles.body}
            x={node.x}
            y={node.y - TITLE_HEIGHT}
            width={node.width}
            height={node.height + TITLE_HEIGHT}
            rx={14}
          />
          <rect
            className={styles.head}
            x={node.x}
            y={node.y - TITLE_HEIGHT}
            width={node.width}
            height={TITLE_HEIGHT}
            rx={14}
          />
        </g>
      ))}
    </svg>
  );
}

function wire(from: Node, out: number, to: Node, into: number): string {
  const [x1, y1, x2, y2] = [from.x + from.width, from.y + 24 * (out + 0.5), to.x, to.y + 24 * (into + 0.5)];
  const bend = Math.max(60, Math.abs(x2 - x1) / 2);
  return `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}
