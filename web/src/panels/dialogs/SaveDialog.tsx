/** Gives a workflow its name. */

import { type FormEvent, useState } from "react";

import type { Reason } from "@/graph/reason";
import { isDraft } from "@/state/keeping_names";
import { giveName, saveCopy } from "@/state/keeping_shelf";
import { inWords } from "@/state/opening";
import { toast } from "@/state/toasts";
import { type TabId, useWorkbench } from "@/state/workbench";
import { t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { TextField } from "@/ui/TextField";

import { askToCloseAll } from "../tabs/close";

interface SaveDialogProps {
  readonly tab: TabId;
  readonly thenClose: readonly TabId[];
  readonly onClose: () => void;
}

export function SaveDialog({ tab: id, thenClose, onClose }: SaveDialogProps) {
  const tab = useWorkbench((state) => state.tabs.find((each) => each.id === id));
  const [name, setName] = useState(tab?.name ?? "");
  const [why, setWhy] = useState<Reason | null>(null);
  const [isBusy, setBusy] = useState(false);
  if (tab === undefined) return null;
  const commit = async (event?: FormEvent): Promise<void> => {
    event?.preventDefault();
    setBusy(true);
    const refusal = isDraft(tab) ? await giveName(id, name) : await saveCopy(id, name);
    setBusy(false);
    setWhy(refusal);
    if (refusal !== null) return;
    onClose();
    toast("success", t("keeping.saved", { name: name.trim() }));
    askToCloseAll(thenClose);
  };
  const footer = (
    <>
      <Button onPress={onClose}>{t("ui.cancel")}</Button>
      <Button variant="primary" isDisabled={isBusy} onPress={() => void commit()}>
        {t("save.action")}
      </Button>
    </>
  );
  return (
    <Dialog title={t("save.title")} isOpen onClose={onClose} size="sm" footer={footer}>
      <form onSubmit={(event) => void commit(event)}>
        <TextField
          label={t("save.name")}
          description={t("save.folders")}
          value={name}
          onChange={(value) => {
            setName(value);
            setWhy(null);
          }}
          error={why === null ? null : inWords(why)}
          // oxlint-disable-next-line jsx-a11y/no-autofocus -- the dialog asks for nothing else
          autoFocus
          onFocus={(event) => event.target instanceof HTMLInputElement && event.target.select()}
        />
      </form>
    </Dialog>
  );
}
