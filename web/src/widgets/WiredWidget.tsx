/** A widget that a wire feeds: its own value does not count now, and waits. */

import { Cable } from "lucide-react";

import { isTall } from "@/graph/geometry";
import type { InputType } from "@/graph/node_type";
import { isNumeric, type Value } from "@/graph/value";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { Icon } from "@/ui/Icon";

import { textOf } from "./choices";
import { type FieldProps, hintOf } from "./field";
import { shown } from "./numbers";
import styles from "./Row.module.css";

export function WiredWidget({ input, value, label, problem }: FieldProps) {
  const text = textFor(value, input).slice(0, 200);
  return (
    <div className={classes(styles.row, styles.wired, isTall(input) && styles.tall)} title={hintOf(input, problem)}>
      <div className={styles.field}>
        <span className={styles.label}>{label}</span>
        <span className={styles.value}>{text}</span>
        <span className={styles.source}>
          <Icon icon={Cable} size={13} />
          {t("widget.from_wire")}
        </span>
      </div>
    </div>
  );
}

function textFor(value: Value, input: InputType): string {
  if (typeof value === "boolean") return t(value ? "widget.on" : "widget.off");
  return isNumeric(value) ? shown(value, input) : textOf(value);
}
