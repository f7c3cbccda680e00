/** What stands below the bar while it lasts: the server is away, another version of this workflow was written. */

import { CloudOff, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";

import { keepMineAsCopy, lookAtTheirs, overwriteTheirs, takeTheirs } from "@/state/keeping_choices";
import { useKeeping } from "@/state/keeping_writer";
import { useNodeTypes } from "@/state/node_types";
import { useOpening } from "@/state/opening";
import { dismissFailures, failureKey, failuresAmong, usePlugins } from "@/state/plugins";
import { useRun } from "@/state/run";
import { type TabId, useTab } from "@/state/workbench";
import { plural, t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { classes } from "@/ui/class_names";
import { Icon } from "@/ui/Icon";
import { Spinner } from "@/ui/Spinner";

import { showDrawer, useLayout } from "./layout";
import styles from "./Notices.module.css";

export function Notices() {
  const isAway = useRun((state) => state.connection === "lost");
  const busy = useOpening((state) => state.busy);
  return (
    <div role="status">
      {isAway && (
        <Notice icon={<Icon icon={CloudOff} />}>
          {t("window.away")} <Spinner size={12} label={t("window.trying")} />
        </Notice>
      )}
      {!isAway && <NodesNotice />}
      <PluginsNotice />
      {busy !== null && <Notice icon={<Spinner size={14} />}>{t("opening.busy", { name: busy })}</Notice>}
      <ChangedNotice />
    </div>
  );
}

/** The worker has not said yet which nodes there are, or cannot. */
function NodesNotice() {
  const status = useNodeTypes((state) => state.status);
  const message = useNodeTypes((state) => state.message);
  const isOpen = useRun((state) => state.connection === "open");
  if (status === "failed") {
    return (
      <Notice tone="warn" icon={<Icon icon={TriangleAlert} />}>
        {t("window.nodes_failed", { message })}
      </Notice>
    );
  }
  if (status !== "waiting" || !isOpen) return null;
  return <Notice icon={<Spinner size={14} />}>{t("window.nodes_waiting")}</Notice>;
}

/** Plugins that should be there and are not; put away until others fail. */
function PluginsNotice() {
  const count = usePlugins(({ plugins, dismissed }) =>
    failureKey(plugins) === dismissed ? 0 : failuresAmong(plugins).length,
  );
  const isShown = useLayout((state) => state.drawer === "plugins");
  if (count === 0 || isShown) return null;
  const actions = (
    <>
      <Button size="sm" onPress={() => showDrawer("plugins")}>
        {t("plugins.show")}
      </Button>
      <Button size="sm" variant="quiet" onPress={dismissFailures}>
        {t("plugins.dismiss")}
      </Button>
    </>
  );
  return (
    <Notice tone="warn" icon={<Icon icon={TriangleAlert} />} actions={actions}>
      {plural("plugins.failed", count)}
    </Notice>
  );
}

function ChangedNotice() {
  const id = useTab((tab) => tab.id);
  const name = useTab((tab) => tab.name);
  const isChanged = useKeeping((state) => id !== null && state.keeping.get(id)?.state === "changed");
  if (id === null || !isChanged) return null;
  return (
    <Notice tone="warn" icon={<Icon icon={TriangleAlert} />} actions={<Choices id={id} />}>
      <strong>{t("changed.title", { name: name ?? "" })}</strong> {t("changed.text")}
    </Notice>
  );
}

function Choices({ id }: { readonly id: TabId }) {
  return (
    <>
      <Button size="sm" onPress={() => void lookAtTheirs(id)}>
        {t("changed.look")}
      </Button>
      <Button size="sm" onPress={() => void keepMineAsCopy(id)}>
        {t("changed.copy")}
      </Button>
      <Button size="sm" onPress={() => void takeTheirs(id)}>
        {t("changed.theirs")}
      </Button>
      <Button size="sm" variant="danger" onPress={() => void overwriteTheirs(id)}>
        {t("changed.overwrite")}
      </Button>
    </>
  );
}

interface NoticeProps {
  readonly icon: ReactNode;
  readonly tone?: "info" | "warn";
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

function Notice({ icon, tone = "info", actions, children }: NoticeProps) {
  return (
    <div className={classes(styles.notice, styles[tone])}>
      <span className={styles.icon}>{icon}</span>
      <p className={styles.text}>{children}</p>
      {actions !== undefined && <div className={styles.actions}>{actions}</div>}
    </div>
  );
}
