/** One node of the outline: its line, and, opened, its inputs, settings and outputs. */

import { ChevronRight, CircleAlert, CircleCheck, CircleDashed, LoaderCircle, Redo, VolumeX } from "lucide-react";
import { memo } from "react";

import { BYPASSED, type Document, executionId, type Graph, MUTED, type Node, type NodeId } from "@/graph/document";
import { useNodeTypes } from "@/state/node_types";
import { useProblemsOf } from "@/state/problems";
import { useNodeRun } from "@/state/run";
import { select, useTab } from "@/state/workbench";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { Icon, type LucideIcon } from "@/ui/Icon";
import { useCanvas } from "@/view/canvas_store";
import { stateWords, titleOf } from "@/view/node_label";

import { NodeDetail } from "./NodeDetail";
import styles from "./Outline.module.css";

interface OutlineNodeProps {
  readonly document: Document;
  readonly graph: Graph;
  readonly node: Node;
  readonly isOpen: boolean;
  readonly onToggle: (id: NodeId) => void;
}

const STATES: Readonly<Record<string, LucideIcon>> = {
  waiting: CircleDashed,
  cached: CircleCheck,
  running: LoaderCircle,
  done: CircleCheck,
  failed: CircleAlert,
};

export const OutlineNode = memo(function OutlineNode({ document, graph, node, isOpen, onToggle }: OutlineNodeProps) {
  const types = useNodeTypes((state) => state.types);
  const isSelected = useTab((tab) => tab.selection.nodes.has(node.id)) ?? false;
  const title = titleOf(node, document, types);
  const show = (): void => {
    select({ nodes: new Set([node.id]) });
    useCanvas.getState().center([node.id]);
  };
  return (
    <li className={classes(styles.node, isSelected && styles.selected)}>
      <div className={styles.line}>
        <button
          type="button"
          className={styles.toggle}
          aria-expanded={isOpen}
          aria-label={t(isOpen ? "outline.close" : "outline.open", { name: title })}
          onClick={() => onToggle(node.id)}
        >
          <Icon icon={ChevronRight} size={14} className={isOpen ? styles.turned : undefined} />
        </button>
        <button type="button" className={styles.name} aria-pressed={isSelected} onClick={show}>
          <span className={styles.title}>{title}</span>
          <span className={styles.id}>#{node.id}</span>
        </button>
        <State node={node} document={document} />
      </div>
      {isOpen && <NodeDetail document={document} graph={graph} node={node} title={title} />}
    </li>
  );
});

/** What the node is doing, that it is muted or bypassed, and how much is wrong with it. */
function State({ node, document }: { readonly node: Node; readonly document: Document }) {
  const path = useTab((tab) => tab.path) ?? [];
  const id = executionId(path, node.id);
  const run = useNodeRun(document.id, id);
  const problems = useProblemsOf(document.id).filter((each) => each.node === id);
  const icon = STATES[run.state];
  return (
    <span className={styles.state}>
      {problems.length > 0 && (
        <Mark icon={CircleAlert} text={problems.map((each) => each.message).join("\n")} tone="failed" />
      )}
      {node.mode === MUTED && <Mark icon={VolumeX} text={t("outline.muted")} />}
      {node.mode === BYPASSED && <Mark icon={Redo} text={t("outline.bypassed")} />}
      {icon !== undefined && <Mark icon={icon} text={stateWords(run)} tone={run.state} />}
    </span>
  );
}

function Mark({ icon, text, tone }: { readonly icon: LucideIcon; readonly text: string; readonly tone?: string }) {
  return (
    <span role="img" aria-label={text} title={text} data-tone={tone} className={styles.mark}>
      <Icon icon={icon} size={14} />
    </span>
  );
}
