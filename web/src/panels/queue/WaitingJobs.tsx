/** What waits, as a list whose rows are dragged by pointer, finger or keys, or moved by their menu. */

import { ArrowDown, ArrowUp, ArrowUpToLine, Ellipsis, GripVertical, Workflow, X } from "lucide-react";
import { useState } from "react";
import { Button as AriaButton, GridList, GridListItem, useDragAndDrop } from "react-aria-components";

import type { Job } from "@/state/run";
import { cancel, move } from "@/state/running";
import { t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { Icon } from "@/ui/Icon";
import { IconButton } from "@/ui/IconButton";
import { MenuButton, type MenuItem } from "@/ui/Menu";

import { timeOfDay } from "@/panels/lightbox/words";

import { useJobName } from "./job_name";
import { JobRow } from "./JobRow";
import { openWorkflowOfJob } from "./queue_actions";
import styles from "./Queue.module.css";
import { type Place, placeBeside, placeOf } from "./reorder";

/** More rows than this are drawn when they are asked for. */
const FIRST = 100;

export function WaitingJobs({ jobs }: { readonly jobs: readonly Job[] }) {
  const [showsAll, setShowsAll] = useState(false);
  const ids = jobs.map((each) => each.id);
  const { dragAndDropHooks } = useDragAndDrop({
    getItems: (keys) => [...keys].map((key) => ({ "text/plain": String(key) })),
    onReorder: ({ keys, target }) => {
      const [moved] = keys;
      if (moved === undefined || target.dropPosition === "on") return;
      go(String(moved), placeOf(ids, String(moved), String(target.key), target.dropPosition));
    },
  });
  const shown = showsAll ? jobs : jobs.slice(0, FIRST);
  return (
    <>
      <GridList
        aria-label={t("queue.waiting")}
        items={shown.map((job, i) => ({ id: job.id, job, place: i }))}
        dragAndDropHooks={dragAndDropHooks}
        className={styles.list ?? ""}
      >
        {({ id, job, place }) => <WaitingJob key={id} job={job} place={place} ids={ids} />}
      </GridList>
      {shown.length < jobs.length && (
        <Button variant="quiet" size="sm" className={styles.all} onPress={() => setShowsAll(true)}>
          {t("queue.show_all", { count: jobs.length })}
        </Button>
      )}
    </>
  );
}

interface WaitingJobProps {
  readonly job: Job;
  readonly place: number;
  readonly ids: readonly string[];
}

function WaitingJob({ job, place, ids }: WaitingJobProps) {
  const name = useJobName(job);
  const first = ids[0] ?? job.id;
  const items: readonly MenuItem[] = [
    {
      id: "first",
      label: t("queue.to_front"),
      icon: ArrowUpToLine,
      isDisabled: place === 0,
      onAction: () => go(job.id, placeOf(ids, job.id, first, "before")),
    },
    {
      id: "up",
      label: t("queue.up"),
      icon: ArrowUp,
      isDisabled: place === 0,
      onAction: () => go(job.id, placeBeside(ids, job.id, -1)),
    },
    {
      id: "down",
      label: t("queue.down"),
      icon: ArrowDown,
      isDisabled: place === ids.length - 1,
      onAction: () => go(job.id, placeBeside(ids, job.id, 1)),
    },
    "separator",
    {
      id: "open",
      label: t("picture.open_workflow"),
      icon: Workflow,
      onAction: () => void openWorkflowOfJob(job, name),
    },
  ];
  const handle = (
    <AriaButton slot="drag" className={styles.grip ?? ""} aria-label={t("queue.drag", { name })}>
      <Icon icon={GripVertical} />
    </AriaButton>
  );
  const actions = (
    <>
      <MenuButton icon={Ellipsis} isIconOnly label={t("queue.more", { name })} items={items} />
      <IconButton icon={X} label={t("queue.cancel", { name })} onPress={() => void cancel(job.id)} />
    </>
  );
  const facts = [t("queue.place", { place: place + 1 }), timeOfDay(job.created)];
  return (
    <GridListItem id={job.id} textValue={name} className={styles.item ?? ""}>
      <JobRow handle={handle} name={name} facts={facts} actions={actions} />
    </GridListItem>
  );
}

function go(id: string, place: Place): void {
  if (place.moves) void move(id, place.before);
}
