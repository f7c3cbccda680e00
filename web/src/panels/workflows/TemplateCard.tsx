/** A template: what it draws, or a small drawing of its graph where that takes files of one's own; its name and use. */

import { useEffect, useState } from "react";

import { templatePictureUrl } from "@/api/client";
import type { Graph } from "@/graph/document";
import { readTemplate, type Template } from "@/state/opening";
import { inLanguage } from "@/state/template_words";
import { t } from "@/texts/index";

import { Sketch } from "./Sketch";
import styles from "./Workflows.module.css";

export function TemplateCard({ template, onOpen }: { readonly template: Template; readonly onOpen: () => void }) {
  const { title, description } = inLanguage(template);
  return (
    <li>
      <button type="button" className={styles.card} onClick={onOpen}>
        {template.needs.length === 0 ? (
          <img className={styles.picture} src={templatePictureUrl(template.name)} alt="" loading="lazy" />
        ) : (
          <GraphOf name={template.name} />
        )}
        <span className={styles.words}>
          <span className={styles.title}>{title}</span>
          <span className={styles.description}>{description}</span>
          {template.needs.length > 0 && (
            <span className={styles.needs}>{t("workflows.needs", { files: folders(template.needs) })}</span>
          )}
        </span>
      </button>
    </li>
  );
}

function GraphOf({ name }: { readonly name: string }) {
  const [graph, setGraph] = useState<Graph | null>(null);
  useEffect(() => {
    let isShown = true;
    void readTemplate(name).then((read) => {
      if (isShown && read.ok) setGraph(read.value.document.root);
    });
    return () => {
      isShown = false;
    };
  }, [name]);
  return <Sketch graph={graph} />;
}

/** The folders that a person has to put something into, each once. */
function folders(needs: readonly string[]): string {
  return [...new Set(needs.map((each) => each.split("/")[0] ?? each))].join(", ");
}
