/** What runs, what waits, and what has ended. */

import { useState } from "react";

import { useRun } from "@/state/run";
import { t } from "@/texts/index";
import { Badge } from "@/ui/Badge";
import { Panel } from "@/ui/Panel";
import { Tabs } from "@/ui/Tabs";

import { ActiveJobs } from "./ActiveJobs";
import { JobHistory } from "./JobHistory";

type Page = "active" | "history";

export function QueuePanel({ onClose }: { readonly onClose?: (() => void) | undefined }) {
  const [page, setPage] = useState<Page>("active");
  const count = useRun((state) => state.active.length + state.more);
  const pages = [
    {
      id: "active" as const,
      label: t("queue.active"),
      badge: count > 0 ? <Badge tone="accent">{count}</Badge> : undefined,
      content: <ActiveJobs />,
    },
    { id: "history" as const, label: t("queue.history"), content: <JobHistory /> },
  ];
  return (
    <Panel title={t("queue.title")} onClose={onClose}>
      <Tabs label={t("queue.title")} pages={pages} selected={page} onSelect={setPage} />
    </Panel>
  );
}
