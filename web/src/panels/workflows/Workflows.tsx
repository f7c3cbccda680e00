/** The person's own workflows, with and without names, and templates to start from. */

import { FolderOpen, RefreshCw } from "lucide-react";
import { useCallback, useEffect, useState } from "react";

import type { Entry } from "@/state/keeping_place";
import { listDrafts, listWorkflows } from "@/state/keeping_shelf";
import { useKeeping } from "@/state/keeping_writer";
import { listTemplates, openTemplate, type Template } from "@/state/opening";
import { inLanguage } from "@/state/template_words";
import { perform } from "@/state/commands";
import { useRun } from "@/state/run";
import { t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { IconButton } from "@/ui/IconButton";
import { Panel } from "@/ui/Panel";
import { Spinner } from "@/ui/Spinner";

import { DraftRow } from "./DraftRow";
import { TemplateCard } from "./TemplateCard";
import { WorkflowRow } from "./WorkflowRow";
import styles from "./Workflows.module.css";

interface Shelf {
  readonly templates: readonly Template[];
  readonly workflows: readonly Entry[];
  readonly drafts: readonly Entry[];
}

export function Workflows({ onClose }: { readonly onClose: () => void }) {
  const [shelf, refresh] = useShelf();
  const actions = <IconButton icon={RefreshCw} label={t("workflows.refresh")} onPress={refresh} />;
  return (
    <Panel title={t("drawer.workflows")} actions={actions} onClose={onClose}>
      <div className={styles.content}>
        <Button icon={FolderOpen} onPress={() => perform("file.open")}>
          {t("command.file.open")}
        </Button>
        {shelf === null ? <Spinner size={20} /> : <Shelves shelf={shelf} onChange={refresh} />}
      </div>
    </Panel>
  );
}

function Shelves({ shelf, onChange }: { readonly shelf: Shelf; readonly onChange: () => void }) {
  return (
    <>
      <section className={styles.part}>
        <h3>{t("workflows.yours")}</h3>
        {shelf.workflows.length === 0 && <p className={styles.none}>{t("workflows.none")}</p>}
        <ul className={styles.list}>
          {shelf.workflows.map((entry) => (
            <WorkflowRow key={entry.path} entry={entry} onChange={onChange} />
          ))}
        </ul>
      </section>
      <section className={styles.part} hidden={shelf.drafts.length === 0}>
        <h3>{t("workflows.drafts")}</h3>
        <ul className={styles.list}>
          {shelf.drafts.map((entry) => (
            <DraftRow key={entry.path} entry={entry} onChange={onChange} />
          ))}
        </ul>
      </section>
      <Templates title={t("workflows.templates")} templates={shelf.templates.filter(runsAtOnce)} />
      <Templates
        title={t("workflows.templates_own")}
        templates={shelf.templates.filter((template) => !runsAtOnce(template))}
      />
    </>
  );
}

function Templates({ title, templates }: { readonly title: string; readonly templates: readonly Template[] }) {
  return (
    <section className={styles.part} hidden={templates.length === 0}>
      <h3>{title}</h3>
      <ul className={styles.list}>
        {templates.map((template) => (
          <TemplateCard
            key={template.name}
            template={template}
            onOpen={() => void openTemplate(inLanguage(template))}
          />
        ))}
      </ul>
    </section>
  );
}

function runsAtOnce(template: Template): boolean {
  return template.needs.length === 0;
}

/** Read when the drawer opens, when something was kept, and when the server is back. */
function useShelf(): [Shelf | null, () => void] {
  const [shelf, setShelf] = useState<Shelf | null>(null);
  const refresh = useCallback(() => {
    void Promise.all([listTemplates(), listWorkflows(), listDrafts()]).then(([templates, workflows, drafts]) =>
      setShelf({ templates, workflows, drafts }),
    );
  }, []);
  useEffect(() => {
    refresh();
    const ends = [
      useKeeping.subscribe((state, before) => {
        if ([...state.keeping].some(([id, { state }]) => state === "saved" && isOther(before.keeping.get(id)?.state)))
          refresh();
      }),
      useRun.subscribe((state, before) => {
        if (state.connection === "open" && before.connection !== "open") refresh();
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }, [refresh]);
  return [shelf, refresh];
}

function isOther(state: string | undefined): boolean {
  return state !== "saved";
}
