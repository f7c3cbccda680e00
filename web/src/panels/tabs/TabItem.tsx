/** One open workflow: its name, whether it has changes, and what closes it. */

import { CloudOff, TriangleAlert, X } from "lucide-react";
import { type MouseEvent, useState } from "react";

import { isDraft } from "@/state/keeping_names";
import { giveName } from "@/state/keeping_shelf";
import { SAVED, useKeeping } from "@/state/keeping_writer";
import { inWords } from "@/state/opening";
import { toast } from "@/state/toasts";
import { showTab, type Tab } from "@/state/workbench";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { Icon } from "@/ui/Icon";
import { ContextMenu } from "@/ui/Menu";

import { useLayout } from "../layout";
import { askToClose } from "./close";
import { tabItems } from "./tab_items";
import styles from "./TabBar.module.css";

export function TabItem({ tab, isActive }: { readonly tab: Tab; readonly isActive: boolean }) {
  const isRenaming = useLayout((state) => state.renaming === tab.id);
  const [menu, setMenu] = useState<{ x: number; y: number } | null>(null);
  const openMenu = (event: MouseEvent): void => {
    event.preventDefault();
    setMenu({ x: event.clientX, y: event.clientY });
  };
  if (isRenaming) return <NameField tab={tab} />;
  return (
    <>
      <button
        type="button"
        className={classes(styles.tab, isActive && styles.active)}
        aria-current={isActive ? "page" : undefined}
        title={tab.name}
        onClick={() => showTab(tab.id)}
        onAuxClick={(event) => event.button === 1 && askToClose(tab.id)}
        onDoubleClick={() => useLayout.setState({ renaming: tab.id })}
        onContextMenu={openMenu}
      >
        <KeepingMark tab={tab} />
        <span className={classes(styles.label, isDraft(tab) && styles.draft)}>{tab.name}</span>
      </button>
      <button
        type="button"
        className={styles.close}
        aria-label={t("tabs.close", { name: tab.name })}
        onClick={() => askToClose(tab.id)}
      >
        <Icon icon={X} size={14} />
      </button>
      <ContextMenu at={menu} items={menu === null ? [] : tabItems(tab)} onClose={() => setMenu(null)} />
    </>
  );
}

function KeepingMark({ tab }: { readonly tab: Tab }) {
  const { state, message } = useKeeping((all) => all.keeping.get(tab.id) ?? SAVED);
  if (state === "changed") return <Mark icon={TriangleAlert} tone="warn" text={t("tabs.changed")} />;
  if (state === "failed") return <Mark icon={TriangleAlert} tone="bad" text={t("tabs.failed", { message })} />;
  if (state === "away") return <Mark icon={CloudOff} tone="soft" text={t("tabs.away")} />;
  if (tab.history.present === tab.saved) return null;
  return <span className={styles.dot} role="img" aria-label={t("tabs.unsaved")} title={t("tabs.unsaved")} />;
}

interface MarkProps {
  readonly icon: typeof X;
  readonly tone: "warn" | "bad" | "soft";
  readonly text: string;
}

function Mark({ icon, tone, text }: MarkProps) {
  return (
    <span className={styles[tone]} role="img" aria-label={text} title={text}>
      <Icon icon={icon} size={14} />
    </span>
  );
}

function endRenaming(): void {
  useLayout.setState({ renaming: null });
}

/** The name being typed: Enter gives it, Escape leaves it. */
function NameField({ tab }: { readonly tab: Tab }) {
  const [name, setName] = useState(tab.name);
  const end = endRenaming;
  const commit = async (): Promise<void> => {
    end();
    if (name.trim() === tab.name && !isDraft(tab)) return;
    const why = await giveName(tab.id, name);
    if (why !== null) toast("error", t("keeping.not_renamed", { name: tab.name }), { detail: inWords(why) });
  };
  return (
    <input
      className={styles.field}
      value={name}
      aria-label={t("tabs.rename")}
      // oxlint-disable-next-line jsx-a11y/no-autofocus -- the person asked to type here
      autoFocus
      onFocus={(event) => event.target.select()}
      onChange={(event) => setName(event.target.value)}
      onBlur={end}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Enter" && !event.nativeEvent.isComposing) void commit();
        if (event.key === "Escape") end();
      }}
    />
  );
}
