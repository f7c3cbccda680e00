/** Asks before a tab is closed whose workflow would be lost. */

import { closeUnwritten, discard } from "@/state/keeping";
import { keepMineAsCopy } from "@/state/keeping_choices";
import { isDraft } from "@/state/keeping_names";
import { keepingOf } from "@/state/keeping_writer";
import { type TabId, useWorkbench } from "@/state/workbench";
import { t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";

import { ask } from "../layout";
import { askToCloseAll } from "../tabs/close";
import styles from "./dialogs.module.css";

interface CloseDialogProps {
  readonly tab: TabId;
  readonly others: readonly TabId[];
  readonly onClose: () => void;
}

export function CloseDialog({ tab: id, others, onClose }: CloseDialogProps) {
  const tab = useWorkbench((state) => state.tabs.find((each) => each.id === id));
  if (tab === undefined) return null;
  const isChanged = keepingOf(id).state === "changed";
  const isOnlyUnsaved = !isDraft(tab) && !isChanged;
  const drop = (): void => {
    onClose();
    void discard(id);
    askToCloseAll(others);
  };
  const save = (): void => {
    // Changed elsewhere: what is here gets a name of its own.
    if (!isDraft(tab)) void keepMineAsCopy(id);
    ask({ kind: "save", tab: id, thenClose: [id, ...others] });
  };
  const keep = (): void => {
    onClose();
    void closeUnwritten(id);
    askToCloseAll(others);
  };
  const footer = (
    <>
      <Button onPress={onClose}>{t("ui.cancel")}</Button>
      <Button variant="danger" onPress={drop}>
        {t("close.discard")}
      </Button>
      <Button variant="primary" onPress={isOnlyUnsaved ? keep : save}>
        {t(isOnlyUnsaved ? "close.keep" : "close.save")}
      </Button>
    </>
  );
  return (
    <Dialog
      title={t("close.title", { name: tab.name })}
      isOpen
      onClose={onClose}
      size="sm"
      role="alertdialog"
      footer={footer}
    >
      <p className={styles.text}>{textFor(isDraft(tab), isChanged)}</p>
    </Dialog>
  );
}

function textFor(isDraft: boolean, isChanged: boolean): string {
  if (isDraft) return t("close.text");
  return t(isChanged ? "close.text_changed" : "close.text_unsaved");
}
