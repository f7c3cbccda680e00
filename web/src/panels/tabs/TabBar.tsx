/**
 * The open workflows. A list of buttons and not ARIA tabs: each has a second button that closes it, which tabs may not
 * hold.
 */

import { Plus } from "lucide-react";
import { type DragEvent, useState } from "react";

import { perform } from "@/state/commands";
import { type TabId, useWorkbench } from "@/state/workbench";
import { t } from "@/texts/index";
import { IconButton } from "@/ui/IconButton";

import { bringIntoSight } from "../in_sight";
import { moveTab } from "./order";
import { TabItem } from "./TabItem";
import styles from "./TabBar.module.css";

export function TabBar() {
  const tabs = useWorkbench((state) => state.tabs);
  const active = useWorkbench((state) => state.active);
  const [dragged, setDragged] = useState<TabId | null>(null);
  const over = (event: DragEvent, place: number): void => {
    if (dragged === null) return;
    event.preventDefault();
    moveTab(dragged, place);
  };
  return (
    <nav className={styles.bar} aria-label={t("tabs.name")}>
      <ul className={styles.list}>
        {tabs.map((tab, place) => (
          // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- dragging; its menu does the same
          <li
            key={tab.id}
            ref={tab.id === active ? bringIntoSight : undefined}
            className={styles.item}
            data-active={tab.id === active}
            draggable
            onDragStart={() => setDragged(tab.id)}
            onDragOver={(event) => over(event, place)}
            onDragEnd={() => setDragged(null)}
          >
            <TabItem tab={tab} isActive={tab.id === active} />
          </li>
        ))}
      </ul>
      <IconButton icon={Plus} label={t("command.file.new")} shortcut="Alt+KeyN" onPress={() => perform("file.new")} />
    </nav>
  );
}
