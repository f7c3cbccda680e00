/** Inside a sub-graph: the way back to the root. */

import { ChevronRight } from "lucide-react";

import type { Tab } from "@/state/workbench";
import { goTo, useTab } from "@/state/workbench";
import { t } from "@/texts/index";
import { Icon } from "@/ui/Icon";

import { titleOf } from "./node_label";
import styles from "./Breadcrumb.module.css";

export function Breadcrumb() {
  const tab = useTab((each) => each);
  if (tab === null || tab.path.length === 0) return null;
  const steps = stepsOf(tab);
  return (
    <nav className={styles.breadcrumb} aria-label={t("canvas.breadcrumb")}>
      <button type="button" onClick={() => goTo([])}>
        {tab.name}
      </button>
      {steps.map((title, i) => (
        <span key={tab.path.slice(0, i + 1).join(":")} className={styles.step}>
          <Icon icon={ChevronRight} size={14} />
          <button
            type="button"
            aria-current={i === steps.length - 1 ? "page" : undefined}
            onClick={() => goTo(tab.path.slice(0, i + 1))}
          >
            {title}
          </button>
        </span>
      ))}
    </nav>
  );
}

function stepsOf(tab: Tab): readonly string[] {
  const document = tab.history.present;
  let graph = document.root;
  return tab.path.map((id) => {
    const node = graph.nodes.get(id);
    const definition = document.subgraphs.get(node?.type ?? "");
    if (definition !== undefined) graph = definition;
    return node === undefined ? id : titleOf(node, document, new Map());
  });
}
