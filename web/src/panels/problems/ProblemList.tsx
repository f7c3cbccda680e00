/** What is wrong with the workflow: a pill over the canvas, and the list behind it, each a way to the place. */

import { ChevronDown, ChevronUp, CircleAlert, X } from "lucide-react";

import { graphAt, type Document } from "@/graph/document";
import { useNodeTypes } from "@/state/node_types";
import { type Problem, setProblems, useProblemsOf } from "@/state/problems";
import { useTab } from "@/state/workbench";
import { plural, t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { Icon } from "@/ui/Icon";
import { IconButton } from "@/ui/IconButton";

import { useLayout } from "../layout";
import { goToProblem, stepThroughProblems, usePlace } from "./place";
import styles from "./ProblemList.module.css";

export function ProblemList() {
  const id = useTab((tab) => tab.history.present.id) ?? "";
  const problems = useProblemsOf(id);
  const isOpen = useLayout((state) => state.problemsOpen);
  if (problems.length === 0) return null;
  const toggle = (): void => {
    useLayout.setState({ problemsOpen: !isOpen });
  };
  return (
    <section className={styles.place} aria-label={t("problems.name")}>
      {isOpen && <OpenList id={id} problems={problems} />}
      <button type="button" className={styles.pill} aria-expanded={isOpen} onClick={toggle}>
        <Icon icon={CircleAlert} />
        {plural("problems.count", problems.length)}
        <Icon icon={isOpen ? ChevronDown : ChevronUp} size={14} />
      </button>
    </section>
  );
}

function OpenList({ id, problems }: { readonly id: string; readonly problems: readonly Problem[] }) {
  const place = usePlace((state) => state.place);
  return (
    <div className={styles.box}>
      <header className={styles.header}>
        <h2 className={styles.title}>{t("problems.name")}</h2>
        <IconButton
          icon={ChevronUp}
          size="sm"
          label={t("command.problems.previous")}
          shortcut="Shift+F8"
          onPress={() => stepThroughProblems(-1)}
        />
        <IconButton
          icon={ChevronDown}
          size="sm"
          label={t("command.problems.next")}
          shortcut="F8"
          onPress={() => stepThroughProblems(1)}
        />
        <IconButton icon={X} size="sm" label={t("problems.clear")} onPress={() => setProblems(id, [])} />
      </header>
      <ol className={styles.list}>
        {problems.map((problem, i) => (
          <li key={`${problem.node} ${problem.input} ${problem.message} ${String(i)}`}>
            <button
              type="button"
              className={classes(styles.problem, i === place && styles.current)}
              aria-current={i === place || undefined}
              onClick={() => goToProblem(i)}
            >
              <Where problem={problem} />
              <span className={styles.message}>{problem.message}</span>
              {problem.detail !== "" && <span className={styles.detail}>{problem.detail}</span>}
            </button>
          </li>
        ))}
      </ol>
    </div>
  );
}

/** The node and the input it is about, by the names that people see. */
function Where({ problem }: { readonly problem: Problem }) {
  const title = useTab((tab) => titleOf(tab.history.present, problem.node));
  const type = useNodeTypes((state) => state.types.get(title?.type ?? "")?.displayName);
  if (problem.node === "") return null;
  const name = title?.title ?? type ?? title?.type ?? problem.node;
  return (
    <span className={styles.where}>
      {name} <span className={styles.id}>#{problem.node}</span>
      {problem.input !== null && <> · {problem.input}</>}
    </span>
  );
}

function titleOf(document: Document, executionId: string) {
  const path = executionId.split(":");
  const node = path.pop() ?? "";
  return graphAt(document, path)?.nodes.get(node) ?? null;
}
