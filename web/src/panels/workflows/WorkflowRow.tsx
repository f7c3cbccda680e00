/** One of the person's workflows: opened by a press; renamed, copied or deleted from its menu. */

import { Copy, Ellipsis, FileText, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";

import type { Reason } from "@/graph/reason";
import { nameOf } from "@/state/keeping_names";
import type { Entry } from "@/state/keeping_place";
import { duplicateKept, openKept, removeKept, renameKept } from "@/state/keeping_shelf";
import { inWords } from "@/state/opening";
import { toast } from "@/state/toasts";
import { useWorkbench } from "@/state/workbench";
import { language, t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { confirm } from "@/ui/Confirm";
import { Icon } from "@/ui/Icon";
import { MenuButton, type MenuItem } from "@/ui/Menu";

import styles from "./Workflows.module.css";

export function WorkflowRow({ entry, onChange }: { readonly entry: Entry; readonly onChange: () => void }) {
  const [isRenaming, setRenaming] = useState(false);
  const isOpen = useWorkbench((state) => state.tabs.some((tab) => tab.kept?.path === entry.path));
  const name = nameOf(entry.path);
  const finish = async (work: Promise<Reason | null>): Promise<void> => {
    const why = await work;
    if (why !== null) toast("error", inWords(why));
    onChange();
  };
  if (isRenaming) {
    const rename = (wanted: string | null): void => {
      setRenaming(false);
      if (wanted !== null) void finish(renameKept(entry.path, wanted));
    };
    return <NameField name={name} onEnd={rename} />;
  }
  const items: readonly MenuItem[] = [
    { id: "rename", label: t("workflows.rename"), icon: Pencil, onAction: () => setRenaming(true) },
    { id: "copy", label: t("workflows.duplicate"), icon: Copy, onAction: () => void finish(duplicateKept(entry.path)) },
    "separator",
    {
      id: "delete",
      label: t("workflows.delete"),
      icon: Trash2,
      tone: "danger",
      onAction: () => void remove(entry, onChange),
    },
  ];
  return (
    <li className={styles.row}>
      <button type="button" className={styles.open} onClick={() => void openKept(entry.path, entry.size)}>
        <Icon icon={FileText} className={classes(styles.file, isOpen && styles.isOpen)} />
        <span className={styles.words}>
          <span className={styles.title}>{name}</span>
          <span className={styles.description}>
            {new Date(entry.modified).toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" })}
            {isOpen && ` · ${t("workflows.open")}`}
          </span>
        </span>
      </button>
      <MenuButton label={t("workflows.more", { name })} icon={Ellipsis} isIconOnly items={items} />
    </li>
  );
}

async function remove({ path }: Entry, onChange: () => void): Promise<void> {
  const name = nameOf(path);
  const question = { title: t("workflows.delete_title", { name }), text: t("workflows.delete_text") };
  if (!(await confirm({ ...question, action: t("workflows.delete"), tone: "danger" }))) return;
  if (!(await removeKept(path))) toast("error", t("workflows.not_deleted", { name }));
  onChange();
}

function NameField({ name, onEnd }: { readonly name: string; readonly onEnd: (wanted: string | null) => void }) {
  const [typed, setTyped] = useState(name);
  return (
    <li className={styles.row}>
      <input
        className={styles.field}
        value={typed}
        aria-label={t("workflows.rename")}
        // oxlint-disable-next-line jsx-a11y/no-autofocus -- the person asked to type here
        autoFocus
        onFocus={(event) => event.target.select()}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={() => onEnd(null)}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Enter" && !event.nativeEvent.isComposing) onEnd(typed);
          if (event.key === "Escape") onEnd(null);
        }}
      />
    </li>
  );
}
