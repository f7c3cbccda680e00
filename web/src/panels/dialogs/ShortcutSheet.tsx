/** Every command with its keys, by what it is about. */

import { useState } from "react";

import { type Command, useCommands } from "@/state/commands";
import { lookUp, t } from "@/texts/index";
import { Dialog } from "@/ui/Dialog";
import { Keys } from "@/ui/Keys";
import { SearchField } from "@/ui/SearchField";

import { SECTIONS } from "../commands/sections";
import styles from "./dialogs.module.css";

export function ShortcutSheet({ onClose }: { readonly onClose: () => void }) {
  const commands = useCommands((state) => state.commands);
  const [query, setQuery] = useState("");
  const shown = [...commands.values()].filter((each) => each.keys.length > 0 && isSought(each, query));
  return (
    <Dialog title={t("shortcuts.title")} isOpen onClose={onClose} size="lg">
      <SearchField
        value={query}
        onChange={setQuery}
        label={t("shortcuts.search")}
        placeholder={t("shortcuts.search")}
      />
      <div className={styles.sheet}>
        {SECTIONS.map((section) => (
          <SheetPart key={section} section={section} commands={shown.filter((each) => each.section === section)} />
        ))}
        <OnNodePart />
        <MousePart />
      </div>
    </Dialog>
  );
}

function SheetPart({ section, commands }: { readonly section: string; readonly commands: readonly Command[] }) {
  if (commands.length === 0) return null;
  return (
    <section className={styles.sheetPart}>
      <h3>{lookUp(`commands.${section}`)}</h3>
      <dl>
        {commands.map((each) => (
          <div key={each.id} className={styles.shortcut}>
            <dt>{lookUp(`command.${each.id}`)}</dt>
            <dd>
              {each.keys.map((keys) => (
                <Keys key={keys} keys={keys} />
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** What keys do on the node with the focus; they are its own, not commands. */
function OnNodePart() {
  return (
    <section className={styles.sheetPart}>
      <h3>{t("commands.on_node")}</h3>
      <dl>
        {(["next", "ends", "inside", "move", "resize", "menu"] as const).map((what) => (
          <div key={what} className={styles.shortcut}>
            <dt>{t(`on_node.${what}`)}</dt>
            <dd>{t(`on_node.${what}_how`)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** What the pointer does, which is no command. */
function MousePart() {
  return (
    <section className={styles.sheetPart}>
      <h3>{t("commands.pointer")}</h3>
      <dl>
        {(["palette", "pan", "zoom", "box", "copy", "wire", "menu"] as const).map((what) => (
          <div key={what} className={styles.shortcut}>
            <dt>{t(`pointer.${what}`)}</dt>
            <dd>{t(`pointer.${what}_how`)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function isSought(command: Command, query: string): boolean {
  const words = `${lookUp(`command.${command.id}`)} ${command.keys.join(" ")}`.toLowerCase();
  return words.includes(query.trim().toLowerCase());
}
