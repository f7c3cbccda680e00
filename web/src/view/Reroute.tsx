/** A reroute: a wire's bend, as small as can be held. */

import type { KeyboardEvent } from "react";

import { linkInto } from "@/graph/links";
import { shownGraph, useTab } from "@/state/workbench";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";

import { setCanvas, useCanvas } from "./canvas_store";
import type { CardData } from "./flow_nodes";
import { typeOf } from "./flow_edges";
import { onNodeKey } from "./node_keys";
import { Socket } from "./Socket";
import { inHandle, outHandle } from "./flow_nodes";
import { typeColor } from "./type_color";
import styles from "./NodeCard.module.css";

export function Reroute({ data, selected }: { readonly data: CardData; readonly selected: boolean }) {
  const { node, layout } = data;
  const isTabStop = useCanvas((state) => state.focused === node.id);
  const isWired = useTab((tab) => linkInto(shownGraph(tab), node.id, 0) !== null) ?? false;
  const type = useTab((tab) => {
    const link = linkInto(shownGraph(tab), node.id, 0);
    return link === null ? (node.outputs[0]?.type ?? "*") : typeOf(shownGraph(tab), link);
  });
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- a node is one stop of the keyboard
    <div
      role="group"
      aria-label={node.title ?? t("canvas.reroute", { type: type ?? "*" })}
      {...{ tabIndex: isTabStop ? 0 : -1 }}
      data-node={node.id}
      className={classes(styles.reroute, selected && styles.selected, "node-grip")}
      style={{ width: layout.width, height: layout.height, ["--socket" as string]: typeColor(type ?? "*") }}
      onKeyDown={(event: KeyboardEvent<HTMLDivElement>) => onNodeKey(event, node, layout)}
      onFocus={() => setCanvas({ focused: node.id })}
    >
      <span className={styles.bend} />
      {node.inputs.length > 0 && (
        <Socket
          node={node.id}
          handle={inHandle(0)}
          side="input"
          type={type ?? "*"}
          y={layout.height / 2}
          wiredSlot={isWired ? 0 : null}
        />
      )}
      <Socket node={node.id} handle={outHandle(0)} side="output" type={type ?? "*"} y={layout.height / 2} />
    </div>
  );
}
