/** The jobs that run, then those that wait, in the order they will run: dragged to another place, or taken out. */

import { Inbox, ListX } from "lucide-react";
import { useMemo } from "react";

import { useRun } from "@/state/run";
import { clearWaiting } from "@/state/running";
import { plural, t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { confirm } from "@/ui/Confirm";
import { EmptyState } from "@/ui/EmptyState";

import styles from "./Queue.module.css";
import { RunningJob } from "./RunningJob";
import { WaitingJobs } from "./WaitingJobs";

export function ActiveJobs() {
  const active = useRun((state) => state.active);
  const more = useRun((state) => state.more);
  const connection = useRun((state) => state.connection);
  const running = useMemo(() => active.filter((each) => each.status === "in_progress"), [active]);
  const waiting = useMemo(() => active.filter((each) => each.status === "pending"), [active]);
  return (
    <div className={styles.page}>
      {connection === "lost" && (
        <p className={styles.lost} role="status">
          {t("queue.lost")}
        </p>
      )}
      {active.length === 0 && <EmptyState icon={Inbox} title={t("queue.empty")} text={t("queue.empty_text")} />}
      {running.length > 0 && (
        <section aria-label={t("queue.running")}>
          <h3 className={styles.heading}>{t("queue.running")}</h3>
          {running.map((job) => (
            <RunningJob key={job.id} job={job} />
          ))}
        </section>
      )}
      {waiting.length > 0 && (
        <section aria-label={t("queue.waiting")}>
          <div className={styles.heading}>
            <h3>{plural("queue.waiting_count", waiting.length + more)}</h3>
            <Button variant="quiet" size="sm" icon={ListX} onPress={() => void askToClear(waiting.length + more)}>
              {t("queue.clear")}
            </Button>
          </div>
          <WaitingJobs jobs={waiting} />
          {more > 0 && <p className={styles.more}>{plural("queue.and_more", more)}</p>}
        </section>
      )}
    </div>
  );
}

async function askToClear(count: number): Promise<void> {
  const isSure = await confirm({
    title: t("queue.clear_title"),
    text: plural("queue.clear_text", count),
    action: t("queue.clear"),
    tone: "danger",
  });
  if (isSure) await clearWaiting();
}
