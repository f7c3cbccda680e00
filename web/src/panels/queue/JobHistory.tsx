/** The jobs that have ended, the newest first: what became of them, their pictures and their workflows. */

import { Ellipsis, History, ImageOff, RotateCcw, Trash2, Workflow } from "lucide-react";
import { useEffect, useRef } from "react";

import { forget, loadMore, refresh, useHistory } from "@/state/history";
import { wantFacts } from "@/state/job_facts";
import type { Job } from "@/state/run";
import { lookUp, t } from "@/texts/index";
import { Badge } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { confirm } from "@/ui/Confirm";
import { EmptyState } from "@/ui/EmptyState";
import { MenuButton, type MenuItem } from "@/ui/Menu";
import { Spinner } from "@/ui/Spinner";

import { dateAndTime, duration } from "@/panels/lightbox/words";

import { useFactsOf, useJobName } from "./job_name";
import { JobRow, JobThumbnail } from "./JobRow";
import { openPicturesOf, openWorkflowOfJob, runAgain } from "./queue_actions";
import styles from "./Queue.module.css";

export function JobHistory() {
  const { items: jobs, hasMore, isLoading, error } = useHistory();
  useEffect(() => {
    void refresh();
  }, []);
  if (jobs.length === 0) {
    if (error !== null) {
      const retry = <Button onPress={() => void refresh()}>{t("gallery.retry")}</Button>;
      return <EmptyState icon={ImageOff} title={t("history.failed_to_load")} text={error} action={retry} />;
    }
    if (isLoading || hasMore) return <Waiting />;
    return <EmptyState icon={History} title={t("history.empty")} text={t("history.empty_text")} />;
  }
  return (
    <div className={styles.page}>
      <div className={styles.heading}>
        <h3>{t("history.newest")}</h3>
        <Button variant="quiet" size="sm" icon={Trash2} onPress={() => void askToClear()}>
          {t("history.clear")}
        </Button>
      </div>
      <ul className={styles.list} aria-label={t("queue.history")}>
        {jobs.map((job) => (
          <EndedJob key={job.id} job={job} />
        ))}
      </ul>
      {error !== null && (
        <div className={styles.problem} role="alert">
          <span>{error}</span>
          <Button size="sm" onPress={() => void loadMore()}>
            {t("gallery.retry")}
          </Button>
        </div>
      )}
      {hasMore && error === null && <More isLoading={isLoading} />}
    </div>
  );
}

function EndedJob({ job }: { readonly job: Job }) {
  const name = useJobName(job);
  const row = useRef<HTMLLIElement>(null);
  useEffect(() => whenSeen(row.current, () => wantFacts(job.id)), [job.id]);
  const seconds = job.started === null || job.ended === null ? null : (job.ended - job.started) / 1000;
  const seed = useFactsOf(job)?.seed ?? null;
  const facts = [
    dateAndTime(job.ended ?? job.created),
    seconds === null ? null : duration(seconds),
    seed === null ? null : t("history.seed", { seed }),
  ];
  const items: readonly MenuItem[] = [
    {
      id: "open",
      label: t("picture.open_workflow"),
      icon: Workflow,
      onAction: () => void openWorkflowOfJob(job, name),
    },
    { id: "again", label: t("history.again"), icon: RotateCcw, onAction: () => void runAgain(job, name) },
    "separator",
    { id: "forget", label: t("history.forget"), icon: Trash2, tone: "danger", onAction: () => void forget([job.id]) },
  ];
  const thumbnail = (
    <JobThumbnail job={job} label={t("history.pictures", { name })} onOpen={() => void openPicturesOf(job)} />
  );
  return (
    <li ref={row} className={styles.ended}>
      <JobRow
        thumbnail={thumbnail}
        name={name}
        badge={<StatusBadge job={job} />}
        facts={facts}
        detail={job.error === null ? undefined : <ErrorText text={job.error} />}
        actions={<MenuButton icon={Ellipsis} isIconOnly label={t("queue.more", { name })} items={items} />}
      />
    </li>
  );
}

/** Calls once when an element comes into sight. Returns: what ends the watch. */
function whenSeen(element: HTMLElement | null, call: () => void): () => void {
  if (element === null) return () => undefined;
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((each) => each.isIntersecting)) return;
    observer.disconnect();
    call();
  });
  observer.observe(element);
  return () => observer.disconnect();
}

function ErrorText({ text }: { readonly text: string }) {
  return (
    <p className={styles.error} title={text}>
      {text}
    </p>
  );
}

const TONES = { completed: "success", failed: "error", cancelled: "neutral" } as const;

function StatusBadge({ job }: { readonly job: Job }) {
  const { status } = job;
  if (status !== "completed" && status !== "failed" && status !== "cancelled") return null;
  return <Badge tone={TONES[status]}>{lookUp(`history.${status}`)}</Badge>;
}

/** Asks for more when it comes into sight. */
function More({ isLoading }: { readonly isLoading: boolean }) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (element === null || isLoading) return undefined;
    const observer = new IntersectionObserver(
      (entries) => entries.some((each) => each.isIntersecting) && void loadMore(),
      { rootMargin: "600px" },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [isLoading]);
  return (
    <div ref={ref} className={styles.loading}>
      <Spinner label={t("history.loading")} />
    </div>
  );
}

function Waiting() {
  return (
    <div className={styles.loading}>
      <Spinner label={t("history.loading")} size={24} />
    </div>
  );
}

async function askToClear(): Promise<void> {
  const isSure = await confirm({
    title: t("history.clear_title"),
    text: t("history.clear_text"),
    action: t("history.clear"),
    tone: "danger",
  });
  if (isSure) await forget(null);
}
