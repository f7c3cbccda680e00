/** A picture without a workflow was opened: it may still be meant as an input. */

import { uploadImage } from "@/api/client";
import { addNode } from "@/graph/edits/nodes";
import { setValue } from "@/graph/edits/values";
import { noteFile } from "@/state/new_files";
import { nodeTypes } from "@/state/node_types";
import { openEmpty, useOpening } from "@/state/opening";
import { toast } from "@/state/toasts";
import { activeTab, editGraph, select } from "@/state/workbench";
import { t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";

import { freePlace } from "../palette/add";
import styles from "./dialogs.module.css";

const LOAD_IMAGE = "LoadImage";

function close(): void {
  useOpening.setState({ picture: null });
}

export function PictureDialog() {
  const picture = useOpening((state) => state.picture);
  if (picture === null) return null;
  const use = (): void => {
    close();
    void loadAsImage(picture);
  };
  const footer = (
    <>
      <Button onPress={close}>{t("ui.cancel")}</Button>
      <Button variant="primary" isDisabled={!nodeTypes().has(LOAD_IMAGE)} onPress={use}>
        {t("picture.use")}
      </Button>
    </>
  );
  return (
    <Dialog title={t("picture.title")} isOpen onClose={close} size="sm" footer={footer}>
      <p className={styles.text}>{t("picture.text", { name: picture.name })}</p>
    </Dialog>
  );
}

async function loadAsImage(picture: File): Promise<void> {
  try {
    const { name, subfolder } = await uploadImage(picture, picture.name);
    if (activeTab() === null) openEmpty();
    const value = subfolder === "" ? name : `${subfolder}/${name}`;
    noteFile(value);
    let added = "";
    editGraph("edit.add", (document, graph) => {
      const result = addNode(document, graph, nodeTypes(), LOAD_IMAGE, freePlace());
      added = result.id;
      return setValue(result.document, graph, nodeTypes(), result.id, "image", value);
    });
    select({ nodes: new Set([added]) });
  } catch (error) {
    toast("error", t("picture.failed", { name: picture.name }), {
      detail: error instanceof Error ? error.message : "",
    });
  }
}
