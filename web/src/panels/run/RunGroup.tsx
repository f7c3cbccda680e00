/** Run, how many times, and what else can be done with running. */

import { ChevronDown, Play, Square } from "lucide-react";
import { useState } from "react";

import { perform } from "@/state/commands";
import { prefer, usePreferences } from "@/state/preferences";
import { useRun } from "@/state/run";
import { useTab } from "@/state/workbench";
import { plural, t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { IconButton } from "@/ui/IconButton";
import { MenuButton, type MenuItem } from "@/ui/Menu";
import { Tooltip } from "@/ui/Tooltip";

import { commandItem } from "../command_items";
import { showDrawer } from "../layout";
import { useRunOnChange } from "./run_on_change";
import styles from "./RunGroup.module.css";

export function RunGroup() {
  const hasTab = useTab(() => true) ?? false;
  const isOnChange = useRunOnChange((state) => state.isOn);
  return (
    <div className={styles.group} role="group" aria-label={t("run.name")}>
      <Active />
      <Times />
      <div className={styles.pair}>
        <Tooltip text={t("command.run.run")} shortcut="Mod+Enter">
          <Button
            variant="primary"
            icon={Play}
            className={styles.run}
            isDisabled={!hasTab}
            onPress={() => perform("run.run")}
          >
            {isOnChange ? t("run.live") : t("run.run")}
          </Button>
        </Tooltip>
        <RunMenu />
      </div>
    </div>
  );
}

/** What runs and waits, and what stops it. */
function Active() {
  const active = useRun((state) => state.active);
  const more = useRun((state) => state.more);
  const isRunning = active.some((each) => each.status === "in_progress");
  const waiting = active.filter((each) => each.status === "pending").length + more;
  return (
    <>
      {waiting > 0 && (
        <button type="button" className={styles.waiting} onClick={() => showDrawer("queue")}>
          {plural("run.waiting", waiting)}
        </button>
      )}
      {isRunning && (
        <IconButton
          icon={Square}
          label={t("command.run.stop")}
          shortcut="Mod+Alt+Enter"
          className={styles.stop}
          onPress={() => perform("run.stop")}
        />
      )}
    </>
  );
}

const MOST_RUNS = 9999;

/** How many times; typed freely, and what is no number becomes 1 when the field is left. */
function Times() {
  const runs = usePreferences((state) => state.runs);
  const [typed, setTyped] = useState<string | null>(null);
  const commit = (): void => {
    const count = Math.round(Number(typed));
    if (typed !== null) prefer({ runs: Number.isFinite(count) ? Math.max(1, Math.min(MOST_RUNS, count)) : 1 });
    setTyped(null);
  };
  const step = (by: number): void => {
    setTyped(null);
    prefer({ runs: Math.max(1, Math.min(MOST_RUNS, (Number(typed ?? runs) || 1) + by)) });
  };
  return (
    <label className={styles.times}>
      <span aria-hidden>×</span>
      <input
        className={styles.count}
        inputMode="numeric"
        aria-label={t("run.times")}
        title={t("run.times")}
        value={typed ?? runs}
        onFocus={(event) => event.target.select()}
        onChange={(event) => setTyped(event.target.value.replace(/\D/g, "").slice(0, 4))}
        onBlur={commit}
        onKeyDownCapture={(event) => {
          if (event.key === "Enter") commit();
          if (event.key === "ArrowUp") step(1);
          if (event.key === "ArrowDown") step(-1);
        }}
      />
    </label>
  );
}

function RunMenu() {
  // Whether the items can be done is asked when something changes that they look at.
  useTab((tab) => tab.selection);
  useRun((state) => state.active);
  const isOnChange = useRunOnChange((state) => state.isOn);
  const items: readonly MenuItem[] = [
    commandItem("run.front"),
    commandItem("node.run_to"),
    "separator",
    { ...commandItem("run.on_change"), isChecked: isOnChange },
    "separator",
    commandItem("run.stop"),
    commandItem("run.clear"),
  ];
  return <MenuButton label={t("run.more")} icon={ChevronDown} isIconOnly items={items} />;
}
