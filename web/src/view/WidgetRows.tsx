/** The widgets of a node, each in its strip, with the socket that a wire to it ends in. */

import { memo } from "react";

import type { Node } from "@/graph/document";
import type { NodeLayout, WidgetStrip } from "@/graph/geometry";
import type { Problem } from "@/state/problems";
import { useTab } from "@/state/workbench";
import { classes } from "@/ui/class_names";
import { Widget } from "@/widgets/Widget";

import { inHandle, widgetHandle } from "./flow_nodes";
import { usePlace } from "./place";
import { Socket } from "./Socket";
import styles from "./NodeCard.module.css";

interface WidgetRowsProps {
  readonly node: Node;
  readonly layout: NodeLayout;
  readonly wired: ReadonlySet<number>;
  readonly problems: readonly Problem[];
}

export const WidgetRows = memo(function WidgetRows({ node, layout, wired, problems }: WidgetRowsProps) {
  return layout.widgets.map((strip) => {
    const isWired = strip.slot !== null && wired.has(strip.slot);
    const problem = problems.find((each) => each.input === strip.input.name)?.message ?? null;
    return (
      <WidgetRow
        key={`${strip.inner ?? ""} ${strip.input.name}`}
        node={node}
        strip={strip}
        isWired={isWired}
        problem={problem}
      />
    );
  });
});

interface WidgetRowProps {
  readonly node: Node;
  readonly strip: WidgetStrip;
  readonly isWired: boolean;
  readonly problem: string | null;
}

const WidgetRow = memo(function WidgetRow({ node, strip, isWired, problem }: WidgetRowProps) {
  const { input, inner, slot } = strip;
  const { documentId } = usePlace();
  const holder = useHolder(node, inner);
  if (holder === null) return null;
  return (
    <>
      <div
        className={classes(styles.widget, "nodrag", "nopan", problem !== null && styles.wrongRow)}
        style={{ top: strip.y, height: strip.height - 4 }}
        data-input={input.name}
      >
        <Widget
          documentId={documentId}
          graphId={holder.graphId}
          node={holder.node}
          input={input}
          isDisabled={isWired}
          problem={problem}
        />
      </div>
      {inner === null && input.options["socketless"] !== true && (
        <Socket
          node={node.id}
          handle={slot === null ? widgetHandle(input.name) : inHandle(slot)}
          side="input"
          type={input.type}
          y={strip.y + 12}
          isOptional
          isWidget
          wiredSlot={isWired ? slot : null}
        />
      )}
    </>
  );
});

/** The node whose value it is: this one, or one inside the sub-graph that it is an instance of. */
function useHolder(node: Node, inner: string | null) {
  const { graphId } = usePlace();
  const held = useTab((tab) =>
    inner === null ? null : (tab.history.present.subgraphs.get(node.type)?.nodes.get(inner) ?? null),
  );
  if (inner === null) return { graphId, node };
  return held === null ? null : { graphId: node.type, node: held };
}
