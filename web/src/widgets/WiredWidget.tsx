/** A widget that a wire feeds: its own value does not count now, and waits. */

import { Cable } from "lucide-react";

import { isNumeric } from "@/graph/value";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { Icon } from "@/ui/Icon";

import { type FieldProps, hintOf } from "./field";
import { shown } from "./numbers";
import styles from "./Row.module.css";

export function WiredWidget({ input, value, label, problem }: FieldProps) {
  const text = isNumeric(value) ? shown(value, input) : typeof value === "string" ? value.slice(0, 200) : "";
  return (
    <div className={classes(styles.row, styles.wired)} title={hintOf(input, problem)}>
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
