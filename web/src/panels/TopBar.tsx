/** The bar above: whose editor this is, the open workflows, undo and redo, and Run. */

import { Redo2, Undo2 } from "lucide-react";

import { perform } from "@/state/commands";
import { useTab } from "@/state/workbench";
import { lookUp, t } from "@/texts/index";
import { IconButton } from "@/ui/IconButton";
import { VisuallyHidden } from "@/ui/VisuallyHidden";

import { Logo } from "./Logo";
import { MainMenu } from "./MainMenu";
import { RunGroup } from "./run/RunGroup";
import { TabBar } from "./tabs/TabBar";
import styles from "./TopBar.module.css";

export function TopBar() {
  return (
    <header className={styles.bar}>
      <VisuallyHidden>
        <h1>{t("app.name")}</h1>
      </VisuallyHidden>
      <MainMenu logo={<Logo />} />
      <TabBar />
      <HistoryButtons />
      <RunGroup />
    </header>
  );
}

/** Undo and redo, each saying what it would undo or redo. */
function HistoryButtons() {
  const undone = useTab((tab) => tab.history.past.at(-1)?.edit ?? null);
  const redone = useTab((tab) => tab.history.future[0]?.edit ?? null);
  return (
    <div className={styles.history} role="group" aria-label={t("history.name")}>
      <IconButton
        icon={Undo2}
        label={label("undo", undone)}
        shortcut="Mod+KeyZ"
        isDisabled={undone === null}
        onPress={() => perform("edit.undo")}
      />
      <IconButton
        icon={Redo2}
        label={label("redo", redone)}
        shortcut="Mod+Shift+KeyZ"
        isDisabled={redone === null}
        onPress={() => perform("edit.redo")}
      />
    </div>
  );
}

function label(key: "undo" | "redo", edit: string | null): string {
  return edit === null ? t(`command.edit.${key}`) : t(`history.${key}`, { edit: lookUp(edit) });
}
