/** The menu behind the mark: what there is to do with workflows and with the editor itself. */

import { Copy, FileDown, FilePlus2, FolderOpen, Info, Keyboard, Save, Settings, TerminalSquare } from "lucide-react";
import { type ReactNode, useRef, useState } from "react";

import { t } from "@/texts/index";
import { ContextMenu, type MenuItem } from "@/ui/Menu";

import { commandItem } from "./command_items";
import styles from "./MainMenu.module.css";

export function MainMenu({ logo }: { readonly logo: ReactNode }) {
  const button = useRef<HTMLButtonElement>(null);
  const [at, setAt] = useState<{ x: number; y: number } | null>(null);
  const open = (): void => {
    const place = button.current?.getBoundingClientRect();
    if (place !== undefined) setAt({ x: place.left, y: place.bottom + 4 });
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        className={styles.button}
        aria-label={t("menu.main")}
        aria-haspopup="menu"
        aria-expanded={at !== null}
        onClick={open}
      >
        {logo}
        <span className={styles.name} aria-hidden>
          {t("app.name")}
        </span>
      </button>
      <ContextMenu at={at} items={at === null ? [] : items()} label={t("menu.main")} onClose={() => setAt(null)} />
    </>
  );
}

function items(): readonly MenuItem[] {
  return [
    commandItem("file.new", FilePlus2),
    commandItem("file.open", FolderOpen),
    commandItem("file.save", Save),
    commandItem("file.duplicate", Copy),
    "separator",
    {
      id: "export",
      label: t("menu.export"),
      icon: FileDown,
      items: ["file.export", "file.export_api", "file.export_python", "file.copy_api"].map((id) => commandItem(id)),
    },
    "separator",
    commandItem("help.commands", TerminalSquare),
    commandItem("help.shortcuts", Keyboard),
    commandItem("help.settings", Settings),
    commandItem("help.about", Info),
  ];
}
