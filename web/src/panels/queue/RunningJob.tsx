/** A job that runs: its newest preview, how far it is, and a button that stops it. */

import { CircleStop } from "lucide-react";
import { useEffect, useMemo, useState } from "react";

import { type Job, useRun } from "@/state/run";
import { cancel } from "@/state/running";
import { t } from "@/texts/index";
import { IconButton } from "@/ui/IconButton";

import { duration } from "@/panels/lightbox/words";

import { progressOf } from "./job_progress";
import { JobRow, JobThumbnail } from "./JobRow";
import { useJobName } from "./job_name";
import styles from "./Queue.module.css";

export function RunningJob({ job }: { readonly job: Job }) {
  const nodes = useRun((state) => (job.documentId === null ? undefined : state.nodes.get(job.documentId)));
  const { part, done, total, preview } = useMemo(() => progressOf(nodes), [nodes]);
  const name = useJobName(job);
  const facts = [
    total > 0 ? t("queue.progress", { done, total }) : null,
    <Elapsed key="elapsed" since={job.started ?? job.created} />,
  ];
  const actions = (
    <IconButton icon={CircleStop} label={t("queue.stop", { name })} onPress={() => void cancel(job.id)} />
  );
  return (
    <div className={styles.running}>
      <JobRow
        thumbnail={
          preview === null ? <JobThumbnail job={job} /> : <img className={styles.thumbnail} src={preview} alt="" />
        }
        name={name}
        facts={facts}
        actions={actions}
      />
      <div
        className={styles.bar}
        role="progressbar"
        aria-label={t("queue.progress_of", { name })}
        aria-valuemin={0}
        aria-valuemax={100}
        {...(part === null ? {} : { "aria-valuenow": Math.round(part * 100) })}
      >
        <span
          className={part === null ? styles.unknown : styles.fill}
          style={part === null ? {} : { transform: `scaleX(${part})` }}
        />
      </div>
    </div>
  );
}

function Elapsed({ since }: { readonly since: number }) {
  const [now, setNow] = useState(since);
  useEffect(() => {
    const tick = () => setNow(Date.now());
    tick();
    const clock = setInterval(tick, 1000);
    return () => clearInterval(clock);
  }, []);
  return <>{duration(Math.max(0, Math.round((now - since) / 1000)))}</>;
}
