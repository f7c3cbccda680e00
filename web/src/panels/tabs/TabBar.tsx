/**
 * The open workflows. A list of buttons and not ARIA tabs: each has a second button that closes it, which tabs may not
 * hold.
 */

import { Plus } from "lucide-react";
import { type DragEvent, useEffect, useRef, useState } from "react";

import { perform } from "@/state/commands";
import { type TabId, useWorkbench } from "@/state/workbench";
import { t } from "@/texts/index";
import { IconButton } from "@/ui/IconButton";

import { moveTab } from "./order";
import { TabItem } from "./TabItem";
import styles from "./TabBar.module.css";

export function TabBar() {
  const tabs = useWorkbench((state) => state.tabs);
  const active = useWorkbench((state) => state.active);
  const [dragged, setDragged] = useState<TabId | null>(null);
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    list.current?.querySelector('[data-active="true"]')?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [active, tabs.length]);
  const over = (event: DragEvent, place: number): void => {
    if (dragged === null) return;
    event.preventDefault();
    moveTab(dragged, place);
  };
  return (
    <nav className={styles.bar} aria-label={t("tabs.name")}>
      <ul ref={list} className={styles.list}>
        {tabs.map((tab, place) => (
          <li
            key={tab.id}
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
