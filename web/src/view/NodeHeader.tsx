/** The title bar of a node: its name, what it is doing, and the ways to fold it, to enter it and to its menu. */

import {
  Ban,
  Check,
  ChevronDown,
  ChevronRight,
  CircleAlert,
  CircleHelp,
  Clock,
  EllipsisVertical,
  LogIn,
  Zap,
} from "lucide-react";
import { type MouseEvent, useRef } from "react";

import type { Plugin } from "@/api/wire";
import { BYPASSED, MUTED, type Node } from "@/graph/document";
import { setCollapsed, setTitle } from "@/graph/edits/nodes";
import { usePlugins, whyMissing } from "@/state/plugins";
import type { NodeRun } from "@/state/run";
import { editGraph, enter, useTab } from "@/state/workbench";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { Icon, type LucideIcon } from "@/ui/Icon";

import { setCanvas, useCanvas } from "./canvas_store";
import { percentOf, stateWords, timeWords } from "./node_label";
import { MessageLine, type MessageLineProps } from "./NodeMessages";
import { Rename } from "./Rename";
import styles from "./NodeHeader.module.css";

interface HeaderProps {
  readonly node: Node;
  readonly title: string;
  readonly run: NodeRun;
  readonly isWhole: boolean;
  readonly isUnknown: boolean;
  /** What is wrong, in words. */
  readonly problems: readonly string[];
  readonly message: MessageLineProps;
}

export function NodeHeader({ node, title, run, isWhole, isUnknown, problems, message }: HeaderProps) {
  const isRenaming = useCanvas((state) => state.renaming?.kind === "node" && state.renaming.id === node.id);
  const isInstance = useTab((tab) => tab.history.present.subgraphs.has(node.type)) ?? false;
  return (
    <div
      className={styles.header}
      onDoubleClick={(event) => {
        event.stopPropagation();
        setCanvas({ renaming: { kind: "node", id: node.id } });
      }}
    >
      {isWhole && (
        <HeaderButton
          icon={node.isCollapsed ? ChevronRight : ChevronDown}
          label={t(node.isCollapsed ? "canvas.node.expand" : "canvas.node.collapse", { title })}
          onPress={() =>
            editGraph("edit.collapse", (document, graph) => setCollapsed(document, graph, [node.id], !node.isCollapsed))
          }
        />
      )}
      {isRenaming ? (
        <Rename
          value={title}
          label={t("canvas.node.title")}
          onDone={(text) =>
            text !== null && editGraph("edit.rename", (document, graph) => setTitle(document, graph, node.id, text))
          }
        />
      ) : (
        <span
          className={classes(styles.title, problems.length > 0 && styles.beside)}
          title={title === node.type ? title : `${title} · ${node.type}`}
        >
          {title}
        </span>
      )}
      {(problems.length === 0 || run.state !== "failed") && <Badge node={node} run={run} isUnknown={isUnknown} />}
      {problems.length > 0 && <MessageLine lines={problems} {...message} />}
      {isWhole && isInstance && (
        <HeaderButton icon={LogIn} label={t("canvas.node.enter", { title })} onPress={() => enter(node.id)} />
      )}
      {isWhole && (
        <HeaderButton
          icon={EllipsisVertical}
          label={t("canvas.node.menu", { title })}
          onPress={(at) => setCanvas({ menu: { at, target: { kind: "node", id: node.id } } })}
        />
      )}
      {run.state === "running" && <Progress run={run} />}
    </div>
  );
}

/** A short mark of what the node is doing. Its words are in the node's label, so screen readers hear it once. */
function Badge({ node, run, isUnknown }: { readonly node: Node; readonly run: NodeRun; readonly isUnknown: boolean }) {
  const plugins = usePlugins((state) => (isUnknown ? state.plugins : null));
  const mark = isUnknown ? UNKNOWN : (MODES[node.mode] ?? STATES[run.state]);
  if (mark === undefined) return null;
  const words = isUnknown ? unknownWords(node.type, plugins) : modeWords(node) || stateWords(run);
  return (
    <span className={classes(styles.badge, styles[mark.tone])} title={words} aria-hidden>
      {mark.icon !== null && <Icon icon={mark.icon} size={12} />}
      {badgeText(node, run, isUnknown)}
    </span>
  );
}

function unknownWords(type: string, plugins: readonly Plugin[] | null): string {
  return [t("canvas.node.unknown", { type }), whyMissing(type, plugins)].filter((each) => each !== "").join(" ");
}

interface Mark {
  readonly icon: LucideIcon | null;
  readonly tone: string;
}

const UNKNOWN: Mark = { icon: CircleHelp, tone: "warn" };
const MODES: Readonly<Record<number, Mark>> = {
  [MUTED]: { icon: Ban, tone: "faint" },
  [BYPASSED]: { icon: Ban, tone: "bypass" },
};
const STATES: Readonly<Partial<Record<NodeRun["state"], Mark>>> = {
  waiting: { icon: Clock, tone: "faint" },
  cached: { icon: Zap, tone: "faint" },
  running: { icon: null, tone: "accent" },
  done: { icon: Check, tone: "good" },
  failed: { icon: CircleAlert, tone: "bad" },
};

function modeWords(node: Node): string {
  if (node.mode === MUTED) return t("canvas.label.muted");
  return node.mode === BYPASSED ? t("canvas.label.bypassed") : "";
}

function badgeText(node: Node, run: NodeRun, isUnknown: boolean): string {
  if (isUnknown) return t("canvas.badge.unknown");
  if (modeWords(node) !== "") return modeWords(node);
  if (run.state === "running") return t("canvas.badge.percent", { percent: percentOf(run) });
  if (run.state === "done") return run.seconds === null ? "" : timeWords(run.seconds);
  if (run.state === "cached") return t("canvas.badge.cached");
  return run.state === "failed" ? t("canvas.badge.failed") : "";
}

function Progress({ run }: { readonly run: NodeRun }) {
  const isKnown = run.max > 1 || run.value > 0;
  return (
    <span className={classes(styles.progress, !isKnown && styles.busy)} aria-hidden>
      <span className={styles.done} style={{ transform: `scaleX(${isKnown ? percentOf(run) / 100 : 1})` }} />
    </span>
  );
}

interface HeaderButtonProps {
  readonly icon: LucideIcon;
  readonly label: string;
  /** Told where in the window its lower edge is. */
  readonly onPress: (at: { readonly x: number; readonly y: number }) => void;
}

function HeaderButton({ icon, label, onPress }: HeaderButtonProps) {
  const button = useRef<HTMLButtonElement>(null);
  const press = (event: MouseEvent): void => {
    event.stopPropagation();
    const place = button.current?.getBoundingClientRect();
    onPress({ x: place?.left ?? event.clientX, y: place?.bottom ?? event.clientY });
  };
  return (
    <button
      ref={button}
      type="button"
      className={classes(styles.button, "nodrag")}
      aria-label={label}
      title={label}
      tabIndex={-1}
      onClick={press}
      onDoubleClick={(event) => event.stopPropagation()}
    >
      <Icon icon={icon} size={14} />
    </button>
  );
}
