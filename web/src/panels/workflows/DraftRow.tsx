/** A workflow without a name that is open in no tab of this window: opened by a press, or deleted. */

import { FileText, Trash2 } from "lucide-react";

import type { Entry } from "@/state/keeping_place";
import { openKept, removeKept } from "@/state/keeping_shelf";
import { toast } from "@/state/toasts";
import { language, t } from "@/texts/index";
import { confirm } from "@/ui/Confirm";
import { Icon } from "@/ui/Icon";
import { IconButton } from "@/ui/IconButton";

import styles from "./Workflows.module.css";

export function DraftRow({ entry, onChange }: { readonly entry: Entry; readonly onChange: () => void }) {
  const date = new Date(entry.modified).toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" });
  return (
    <li className={styles.row}>
      <button
        type="button"
        className={styles.open}
        onClick={() => void openKept(entry.path, entry.size).then(onChange)}
      >
        <Icon icon={FileText} className={styles.file} />
        <span className={styles.words}>
          <span className={styles.title}>{t("tabs.untitled")}</span>
          <span className={styles.description}>{date}</span>
        </span>
      </button>
      <IconButton
        icon={Trash2}
        label={t("workflows.delete_draft", { date })}
        onPress={() => void remove(entry.path, date, onChange)}
      />
    </li>
  );
}

async function remove(path: string, date: string, onChange: () => void): Promise<void> {
  const question = { title: t("workflows.delete_draft_title", { date }), text: t("workflows.delete_draft_text") };
  if (!(await confirm({ ...question, action: t("workflows.delete"), tone: "danger" }))) return;
  if (!(await removeKept(path))) toast("error", t("workflows.not_deleted", { name: t("tabs.untitled") }));
  onChange();
}
