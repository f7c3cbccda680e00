/** A group: a titled, coloured frame behind nodes. Its title bar drags it with everything in it. */

import type { NodeProps } from "@xyflow/react";
import { type KeyboardEvent, memo } from "react";

import { moveGroup, setGroup } from "@/graph/edits/groups";
import { activeTab, editGraph, select } from "@/state/workbench";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";

import { setCanvas, useCanvas } from "./canvas_store";
import { drawable } from "./color";
import type { GroupNode } from "./flow_nodes";
import { Rename } from "./Rename";
import { Grip } from "./ResizeGrip";
import { currentSizes } from "./scene";
import styles from "./GroupBox.module.css";

const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-2, 0],
  ArrowRight: [2, 0],
  ArrowUp: [0, -2],
  ArrowDown: [0, 2],
};

export const GroupBox = memo(function GroupBox({ data: { group }, selected }: NodeProps<GroupNode>) {
  const isRenaming = useCanvas((state) => state.renaming?.kind === "group" && state.renaming.id === group.id);
  const { id, width, height } = group;
  const color = drawable(group.color);
  const title = group.title === "" ? t("canvas.group.untitled") : group.title;
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>): void => {
    if (event.target !== event.currentTarget) return;
    const step = STEPS[event.key];
    if (step === undefined && event.key !== "F2" && event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    if (step === undefined) setCanvas({ renaming: { kind: "group", id } });
    else moveBy(id, step, event.shiftKey ? 10 : 1);
  };
  return (
    <div
      className={classes(styles.group, selected && styles.selected)}
      style={{ width, height, ...(color === null ? {} : { ["--group" as string]: color }) }}
      data-group={id}
    >
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- as nodes */}
      <div
        role="group"
        aria-label={t("canvas.group.label", { title })}
        {...{ tabIndex: 0 }}
        className={classes(styles.title, "group-grip")}
        onKeyDown={onKeyDown}
        onFocus={(event) => event.currentTarget.matches(":focus-visible") && select({ groups: new Set([id]) })}
        onDoubleClick={(event) => {
          event.stopPropagation();
          setCanvas({ renaming: { kind: "group", id } });
        }}
      >
        {isRenaming ? (
          <Rename
            value={group.title}
            label={t("canvas.group.title")}
            onDone={(text) =>
              text !== null &&
              editGraph("edit.rename", (document, graph) => setGroup(document, graph, id, { title: text }))
            }
          />
        ) : (
          <span>{title}</span>
        )}
      </div>
      <Grip
        size={{ width, height }}
        label={title}
        onSize={(size) =>
          editGraph(
            "edit.resize",
            (document, graph) =>
              setGroup(document, graph, id, { width: Math.max(80, size.width), height: Math.max(60, size.height) }),
            { merge: `group size ${id}` },
          )
        }
      />
    </div>
  );
});

function moveBy(id: string, [dx, dy]: readonly [number, number], times: number): void {
  if (activeTab() === null) return;
  editGraph("edit.move", (document, graph) => moveGroup(document, graph, id, dx * times, dy * times, currentSizes()), {
    merge: `push group ${id}`,
  });
}
