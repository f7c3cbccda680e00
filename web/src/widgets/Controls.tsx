/** What happens to a value after each run, and a new random value at once: the tools beside seeds. */

import { ArrowDown, ArrowUp, Dices, Lock, Repeat, Shuffle } from "lucide-react";
import { useState } from "react";

import type { Control, Node } from "@/graph/document";
import type { InputType } from "@/graph/node_type";
import { defaultControl } from "@/graph/widgets";
import { t } from "@/texts/index";
import { Icon, type LucideIcon } from "@/ui/Icon";
import { ContextMenu, type MenuItem } from "@/ui/Menu";

import { isWhole, randomWhole } from "./numbers";
import styles from "./Row.module.css";
import { give, giveControl, type Target } from "./target";

const ICONS: Readonly<Record<Control, LucideIcon>> = {
  fixed: Lock,
  increment: ArrowUp,
  decrement: ArrowDown,
  randomize: Shuffle,
  "increment-wrap": Repeat,
};

interface ControlsProps {
  readonly target: Target;
  readonly node: Node;
  readonly input: InputType;
}

export function Controls({ target, node, input }: ControlsProps) {
  const [at, setAt] = useState<{ readonly x: number; readonly y: number } | null>(null);
  const control = controlOf(node, input);
  const name = t("widget.control", { control: t(`widget.control.${control}`) });
  return (
    <>
      {isWhole(input) && (
        <button
          type="button"
          className={styles.tool}
          aria-label={t("widget.new_seed")}
          title={t("widget.new_seed")}
          onClick={() => giveRandom(target, input)}
        >
          <Icon icon={Dices} size={14} />
        </button>
      )}
      <button
        type="button"
        className={styles.tool}
        aria-label={name}
        title={name}
        aria-haspopup="menu"
        aria-expanded={at !== null}
        onClick={(event) => {
          const { left, bottom } = event.currentTarget.getBoundingClientRect();
          setAt({ x: left, y: bottom + 4 });
        }}
      >
        <Icon icon={ICONS[control]} size={14} />
      </button>
      <ContextMenu
        at={at}
        label={t("widget.after_run")}
        items={controlItems(target, node, input)}
        onClose={() => setAt(null)}
      />
    </>
  );
}

export function giveRandom(target: Target, input: InputType): void {
  give(
    target,
    randomWhole(input, (words) => crypto.getRandomValues(words)),
  );
}

/** The choices of what happens after a run, as items of a menu. */
export function controlItems(target: Target, node: Node, input: InputType): readonly MenuItem[] {
  const now = controlOf(node, input);
  const offered: readonly Control[] = ["fixed", "increment", "decrement", "randomize"];
  const all = isWhole(input) ? offered : [...offered, "increment-wrap" as const];
  return all.map((control) => ({
    id: control,
    label: t(`widget.control.${control}`),
    icon: ICONS[control],
    isChecked: control === now,
    onAction: () => giveControl(target, control),
  }));
}

function controlOf(node: Node, input: InputType): Control {
  return node.controls[input.name] ?? defaultControl(input);
}
