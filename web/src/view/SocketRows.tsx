/** The sockets of a node that have rows of their own: inputs at the left, outputs at the right. */

import { memo } from "react";

import type { Node } from "@/graph/document";
import { type NodeLayout, SOCKET_ROW } from "@/graph/geometry";
import { useNodeType } from "@/state/node_types";
import type { Problem } from "@/state/problems";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";

import { setCanvas, type WireEnd } from "./canvas_store";
import { inHandle, outHandle } from "./flow_nodes";
import { Socket } from "./Socket";
import styles from "./NodeCard.module.css";

interface SocketRowsProps {
  readonly node: Node;
  readonly layout: NodeLayout;
  readonly wired: ReadonlySet<number>;
  readonly problems: readonly Problem[];
  /** Whether the keyboard comes to the names: in selected nodes. */
  readonly isReachable: boolean;
}

export const SocketRows = memo(function SocketRows({ node, layout, wired, problems, isReachable }: SocketRowsProps) {
  const type = useNodeType(node.type);
  const isCollapsed = layout.form === "collapsed";
  const slots = isCollapsed ? node.inputs.map((_, i) => i) : layout.rows;
  const optional = new Set(type?.inputs.filter((each) => !each.required).map((each) => each.name));
  const wrong = new Map(problems.map((each) => [each.input, each.message]));
  return (
    <>
      {slots.map((i) => {
        const slot = node.inputs[i];
        if (slot === undefined) return null;
        const y = layout.inputs[i] ?? 0;
        const end: WireEnd = { kind: "input", end: { node: node.id, slot: i }, type: slot.type };
        return (
          <div key={i}>
            {!isCollapsed && (
              <SlotName
                name={slot.label ?? slot.name}
                type={slot.type}
                y={y}
                side="input"
                isReachable={isReachable}
                problem={wrong.get(slot.name) ?? null}
                onStart={() => setCanvas({ listing: { node: node.id, end } })}
              />
            )}
            <Socket
              node={node.id}
              handle={inHandle(i)}
              side="input"
              type={slot.type}
              y={y}
              isOptional={optional.has(slot.name)}
              wiredSlot={wired.has(i) ? i : null}
            />
          </div>
        );
      })}
      {node.outputs.map((slot, i) => {
        const y = layout.outputs[i] ?? 0;
        const end: WireEnd = { kind: "output", end: { node: node.id, slot: i }, type: slot.type };
        return (
          // oxlint-disable-next-line react/no-array-index-key -- a slot is its place
          <div key={`out${i}`}>
            {!isCollapsed && (
              <SlotName
                name={slot.label ?? slot.name}
                type={slot.type}
                y={y}
                side="output"
                isReachable={isReachable}
                problem={null}
                onStart={() => setCanvas({ listing: { node: node.id, end } })}
              />
            )}
            <Socket node={node.id} handle={outHandle(i)} side="output" type={slot.type} y={y} />
          </div>
        );
      })}
    </>
  );
});

interface SlotNameProps {
  readonly name: string;
  readonly type: string;
  readonly y: number;
  readonly side: "input" | "output";
  readonly isReachable: boolean;
  readonly problem: string | null;
  readonly onStart: () => void;
}

/** The name is the keyboard's way to wire: Enter or C on it lists what fits. The pointer uses the dot. */
function SlotName({ name, type, y, side, isReachable, problem, onStart }: SlotNameProps) {
  const label = t(side === "input" ? "canvas.socket.input" : "canvas.socket.output", { name, type });
  return (
    <button
      type="button"
      className={classes(side === "input" ? styles.left : styles.right, problem !== null && styles.wrongRow)}
      style={{ top: y - SOCKET_ROW / 2 }}
      tabIndex={isReachable ? 0 : -1}
      aria-label={problem === null ? label : `${label} ${problem}`}
      title={problem ?? `${name} · ${type}`}
      onKeyDown={(event) => {
        if (event.key !== "Enter" && event.code !== "KeyC") return;
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        event.stopPropagation();
        onStart();
      }}
    >
      {name}
    </button>
  );
}
