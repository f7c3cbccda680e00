/** A template: a small drawing of its graph, its name and what it is for. */

import { useEffect, useState } from "react";

import type { Graph } from "@/graph/document";
import { readTemplate, type Template } from "@/state/opening";
import { inLanguage } from "@/state/template_words";
import { t } from "@/texts/index";

import { Sketch } from "./Sketch";
import styles from "./Workflows.module.css";

export function TemplateCard({ template, onOpen }: { readonly template: Template; readonly onOpen: () => void }) {
  const { title, description } = inLanguage(template);
  const [graph, setGraph] = useState<Graph | null>(null);
  useEffect(() => {
    let isShown = true;
    void readTemplate(template.name).then((read) => {
      if (isShown && read.ok) setGraph(read.value.document.root);
    });
    return () => {
      isShown = false;
    };
  }, [template.name]);
  return (
    <li>
      <button type="button" className={styles.card} onClick={onOpen}>
        <Sketch graph={graph} />
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

/** The folders that a person has to put something into, each once. */
function folders(needs: readonly string[]): string {
  return [...new Set(needs.map((each) => each.split("/")[0] ?? each))].join(", ");
}
