/** A node: a sketch of it while the canvas moves or is far away, and the whole of it when it stands still. */

import type { NodeProps } from "@xyflow/react";
import {
  type CSSProperties,
  type KeyboardEvent,
  memo,
  startTransition,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";

import { BYPASSED, MUTED, type Node, REROUTE } from "@/graph/document";
import { linksInto } from "@/graph/links";
import { useNodeTypes } from "@/state/node_types";
import { type Problem, useProblems } from "@/state/problems";
import { useNodeRun } from "@/state/run";
import { select, shownGraph, useTab } from "@/state/workbench";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";

import { setCanvas, useCanvas } from "./canvas_store";
import { drawable } from "./color";
import type { CardNode } from "./flow_nodes";
import { whenStill } from "./hydration";
import { DRAWN_KINDS } from "@/graph/create";
import { labelOf, titleOf } from "./node_label";
import { onNodeKey } from "./node_keys";
import { NodeHeader } from "./NodeHeader";
import { NodeMedia } from "./NodeMedia";
import { linesOf, NodeMessages } from "./NodeMessages";
import { useExecutionId, usePlace } from "./place";
import { Reroute } from "./Reroute";
import { PicturePlace } from "./PicturePlace";
import { ResizeGrip } from "./ResizeGrip";
import { NodeSketch } from "./NodeSketch";
import { SocketRows } from "./SocketRows";
import { WidgetRows } from "./WidgetRows";
import styles from "./NodeCard.module.css";

export const NodeCard = memo(function NodeCard({ data, selected }: NodeProps<CardNode>) {
  return data.node.type === REROUTE ? (
    <Reroute data={data} selected={selected} />
  ) : (
    <Card data={data} selected={selected} />
  );
});

interface CardProps {
  readonly data: CardNode["data"];
  readonly selected: boolean;
}

function Card({ data, selected }: CardProps) {
  const { node, layout } = data;
  const { documentId } = usePlace();
  const id = useExecutionId(node.id);
  const run = useNodeRun(documentId, id);
  const problems = useProblemsAt(documentId, id);
  const wired = useWired(node.id);
  const title = useTitle(node);
  const isUnknown = useIsUnknown(node);
  const detail = useCanvas((state) => state.detail);
  const isTabStop = useCanvas((state) => state.focused === node.id);
  const isWhole = useIsWhole() && detail === "full";
  const frame = useFocusAsked(isTabStop);
  const lines = linesOf(problems);
  const [isPointed, setPointed] = useState(false);
  const isOpen = lines.length > 0 && (selected || isPointed);
  const label = labelOf(title, node, wired.size, run, [...new Set(problems.map((each) => each.message))]);
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>): void => onNodeKey(event, node, layout);
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- a node is one stop of the keyboard
    <div
      ref={frame}
      role="group"
      aria-label={label}
      aria-roledescription={t("canvas.node.role")}
      {...{ tabIndex: isTabStop ? 0 : -1 }}
      data-node={node.id}
      data-state={run.state}
      className={classes(
        styles.card,
        selected && styles.selected,
        styles[run.state],
        problems.length > 0 && styles.wrong,
        node.mode === MUTED && styles.muted,
        node.mode === BYPASSED && styles.bypassed,
        isUnknown && styles.unknown,
        colorOf(node) !== null && styles.colored,
        layout.form === "collapsed" && styles.collapsed,
        detail === "plain" && styles.plain,
        "node-grip",
      )}
      style={look(node, layout.width, layout.height)}
      onKeyDown={onKeyDown}
      onPointerLeave={() => isPointed && setPointed(false)}
      onFocus={(event) => event.target === event.currentTarget && onFocus(event.currentTarget, node)}
    >
      <NodeHeader
        node={node}
        title={title}
        run={run}
        isWhole={isWhole}
        isUnknown={isUnknown}
        problems={lines}
        message={{ isOpen: isOpen && detail === "full", onPoint: () => setPointed(true) }}
      />
      {isWhole || layout.form === "collapsed" ? (
        <>
          <SocketRows node={node} layout={layout} wired={wired} problems={problems} isReachable={selected} />
          {layout.form === "box" && <WidgetRows node={node} layout={layout} wired={wired} problems={problems} />}
        </>
      ) : (
        detail === "full" && <NodeSketch node={node} layout={layout} />
      )}
      {layout.media !== null && detail === "full" && <NodeMedia node={node} strip={layout.media} run={run} />}
      {layout.media === null && detail === "full" && <PicturePlace node={node} layout={layout} />}
      {isOpen && detail === "full" && <NodeMessages lines={lines} />}
      {isWhole && layout.form === "box" && <ResizeGrip node={node} layout={layout} label={title} />}
    </div>
  );
}

function look(node: Node, width: number, height: number): CSSProperties {
  const colors: Record<string, string> = {};
  const head = colorOf(node);
  if (head !== null) colors["--node-color"] = head;
  return { width, height, ...colors };
}

function colorOf(node: Node): string | null {
  return drawable(node.color) ?? drawable(node.background);
}

/** Focus that came by the keyboard selects, as a click would. */
function onFocus(frame: HTMLElement, node: Node): void {
  setCanvas({ focused: node.id });
  if (frame.matches(":focus-visible")) select({ nodes: new Set([node.id]) });
}

/** False until the canvas stands still for the first time since the node came into view. */
function useIsWhole(): boolean {
  const [isWhole, setWhole] = useState(false);
  useEffect(() => (isWhole ? undefined : whenStill(() => startTransition(() => setWhole(true)))), [isWhole]);
  return isWhole;
}

function useFocusAsked(isFocused: boolean) {
  const frame = useRef<HTMLDivElement>(null);
  const asked = useCanvas((state) => (isFocused ? state.focusAsked : 0));
  useEffect(() => {
    if (asked === 0) return;
    setCanvas({ focusAsked: 0 }); // asked once, given once: not again when another graph has a node of this id
    frame.current?.focus({ preventScroll: true });
  }, [asked]);
  return frame;
}

const NO_PROBLEMS: readonly Problem[] = [];

/** What is wrong with a node. The list stays the same object as long as nothing about this node changes. */
function useProblemsAt(documentId: string, id: string): readonly Problem[] {
  const all = useProblems((state) => state.problems.get(documentId) ?? NO_PROBLEMS);
  return useMemo(() => {
    const mine = all.filter((each) => each.node === id);
    return mine.length === 0 ? NO_PROBLEMS : mine;
  }, [all, id]);
}

/** The input slots that wires go into. */
function useWired(id: string): ReadonlySet<number> {
  const slots = useTab((tab) =>
    linksInto(shownGraph(tab), id)
      .map((link) => link.targetSlot)
      .toSorted((one, other) => one - other)
      .join(","),
  );
  return useMemo(() => new Set((slots ?? "").split(",").filter(Boolean).map(Number)), [slots]);
}

function useTitle(node: Node): string {
  const types = useNodeTypes((state) => state.types);
  return useTab((tab) => titleOf(node, tab.history.present, types)) ?? node.type;
}

function useIsUnknown(node: Node): boolean {
  const isReady = useNodeTypes((state) => state.status === "ready" && !state.types.has(node.type));
  const isDefined = useTab((tab) => tab.history.present.subgraphs.has(node.type)) ?? false;
  return isReady && !isDefined && !DRAWN_KINDS.has(node.type);
}
