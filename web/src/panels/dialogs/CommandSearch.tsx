/** Anything the editor can do, by typing a few letters of its name. */

import { go } from "fuzzysort";
import { type KeyboardEvent, useId, useState } from "react";

import { type Command, perform, useCommands } from "@/state/commands";
import { lookUp, plural, t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { Dialog } from "@/ui/Dialog";
import { Keys } from "@/ui/Keys";
import { VisuallyHidden } from "@/ui/VisuallyHidden";

import { bringIntoSight } from "../in_sight";
import styles from "./dialogs.module.css";

interface Entry {
  readonly command: Command;
  readonly label: string;
  readonly section: string;
}

export function CommandSearch({ onClose }: { readonly onClose: () => void }) {
  const commands = useCommands((state) => state.commands);
  const [query, setQuery] = useState("");
  const [place, setPlace] = useState(0);
  const id = useId();
  const found = find(commands, query);
  const chosen = found[Math.min(place, found.length - 1)];
  const choose = (entry: Entry | undefined): void => {
    if (entry === undefined) return;
    onClose();
    // The dialog gives the focus back first, so that what is done finds the window as it was.
    setTimeout(() => perform(entry.command.id), 0);
  };
  const press = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      setPlace(Math.max(0, Math.min(found.length - 1, place + step)));
    }
    if (event.key === "Enter" && !event.nativeEvent.isComposing) choose(chosen);
  };
  return (
    <Dialog title={t("command.help.commands")} isOpen onClose={onClose} size="md">
      <input
        className={styles.search}
        role="combobox"
        aria-expanded
        aria-controls={id}
        aria-activedescendant={chosen === undefined ? undefined : `${id}-${chosen.command.id}`}
        aria-label={t("commands.search")}
        placeholder={t("commands.search")}
        autoComplete="off"
        // oxlint-disable-next-line jsx-a11y/no-autofocus -- the search was opened to type into it
        autoFocus
        value={query}
        onKeyDown={press}
        onChange={(event) => {
          setQuery(event.target.value);
          setPlace(0);
        }}
      />
      <Results id={id} found={found} chosen={chosen?.command.id ?? null} onPoint={setPlace} onChoose={choose} />
      <VisuallyHidden>
        <span role="status">{plural("commands.found", found.length)}</span>
      </VisuallyHidden>
    </Dialog>
  );
}

interface ResultsProps {
  readonly id: string;
  readonly found: readonly Entry[];
  readonly chosen: string | null;
  readonly onPoint: (place: number) => void;
  readonly onChoose: (entry: Entry) => void;
}

function Results({ id, found, chosen, onPoint, onChoose }: ResultsProps) {
  if (found.length === 0) return <p className={styles.text}>{t("commands.nothing")}</p>;
  return (
    <div id={id} role="listbox" aria-label={t("commands.results")} className={styles.results}>
      {found.map((entry, i) => (
        // oxlint-disable-next-line jsx-a11y/click-events-have-key-events -- the field above has the keys
        <div
          key={entry.command.id}
          id={`${id}-${entry.command.id}`}
          ref={entry.command.id === chosen ? bringIntoSight : undefined}
          role="option"
          tabIndex={-1}
          aria-selected={entry.command.id === chosen}
          className={classes(styles.result, entry.command.id === chosen && styles.chosen)}
          onPointerMove={() => onPoint(i)}
          onClick={() => onChoose(entry)}
        >
          <span className={styles.resultName}>{entry.label}</span>
          <span className={styles.section}>{entry.section}</span>
          {entry.command.keys[0] !== undefined && <Keys keys={entry.command.keys[0]} />}
        </div>
      ))}
    </div>
  );
}

/** What can be done now, best match first. */
function find(commands: ReadonlyMap<string, Command>, query: string): readonly Entry[] {
  const entries = [...commands.values()]
    .filter((each) => each.id !== "help.commands" && (each.isEnabled?.() ?? true))
    .map((command) => ({
      command,
      label: lookUp(`command.${command.id}`),
      section: lookUp(`commands.${command.section}`),
    }));
  if (query.trim() === "") return entries;
  return go(query.trim(), entries, { keys: ["label", "section"], threshold: 0.3 }).map((each) => each.obj);
}
