/** Beside the pointer, while a wire is held over a socket that refuses it: why. */

import { useConnection } from "@xyflow/react";

import { canConnect } from "@/graph/rules";
import { nodeTypes } from "@/state/node_types";
import { activeTab, shownGraph } from "@/state/workbench";
import { lookUp } from "@/texts/index";

import { type Ends, endsOf } from "./flow_edges";
import styles from "./Refusal.module.css";

interface Held {
  readonly x: number;
  readonly y: number;
  readonly ends: string;
}

export function Refusal() {
  const held = useConnection((state): Held | null => {
    if (!state.inProgress || state.isValid === true || state.toHandle === null) return null;
    const { fromHandle: from, toHandle: to } = state;
    if (from.nodeId === to.nodeId && from.id === to.id) return null;
    const [source, target] = from.type === "source" ? [from, to] : [to, from];
    const ends: Ends = {
      source: source.nodeId,
      sourceHandle: source.id ?? null,
      target: target.nodeId,
      targetHandle: target.id ?? null,
    };
    return { x: state.pointer.x, y: state.pointer.y, ends: JSON.stringify(ends) };
  });
  if (held === null) return null;
  const why = refusalOf(JSON.parse(held.ends) as Ends);
  if (why === null) return null;
  return (
    <div role="status" className={styles.refusal} style={{ left: held.x + 16, top: held.y + 18 }}>
      {why}
    </div>
  );
}

/** In words; null when nothing is against it. */
export function refusalOf(connection: Ends): string | null {
  const tab = activeTab();
  const ends = endsOf(connection);
  if (tab === null) return null;
  if (ends === null) return lookUp("canvas.refusal.same_side");
  const why = canConnect(tab.history.present, shownGraph(tab).id, nodeTypes(), ends.from, ends.to);
  return why === null ? null : lookUp(why.code, why.words);
}
