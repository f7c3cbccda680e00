/** What stands in place of the canvas when no workflow is open: ways to begin. */

import { FilePlus2, FolderOpen, Workflow } from "lucide-react";

import { perform } from "@/state/commands";
import { useKeeping } from "@/state/keeping_writer";
import { t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { EmptyState } from "@/ui/EmptyState";
import { Spinner } from "@/ui/Spinner";

import { showDrawer } from "./layout";
import styles from "./StartPage.module.css";

export function StartPage() {
  const isRestoring = useKeeping((state) => state.isRestoring);
  return (
    <div className={styles.page}>
      {isRestoring ? <Spinner size={22} label={t("start.restoring")} /> : <Beginnings />}
    </div>
  );
}

function Beginnings() {
  return (
    <EmptyState
      icon={Workflow}
      title={t("start.title")}
      text={t("start.text")}
      action={
        <div className={styles.actions}>
          <Button variant="primary" onPress={() => showDrawer("workflows")}>
            {t("start.templates")}
          </Button>
          <Button icon={FilePlus2} onPress={() => perform("file.new")}>
            {t("command.file.new")}
          </Button>
          <Button icon={FolderOpen} onPress={() => perform("file.open")}>
            {t("command.file.open")}
          </Button>
        </div>
      }
    />
  );
}
