/** A value of a kind that nobody here knows how to edit: shown as JSON, kept as it is. */

import { useId } from "react";

import { stringify } from "@/format/json";
import { classes } from "@/ui/class_names";

import { type FieldProps, hintOf } from "./field";
import { problemAria, Row } from "./Row";
import rowStyles from "./Row.module.css";
import styles from "./Text.module.css";

export function RawWidget({ input, value, label, problem }: FieldProps) {
  const id = useId();
  return (
    <Row id={id} problem={problem} hint={hintOf(input, problem)}>
      <label className={rowStyles.field}>
        <span className={rowStyles.label}>{label}</span>
        <input
          readOnly
          className={classes(rowStyles.input, rowStyles.value, styles.raw)}
          value={stringify(value)}
          {...problemAria(id, problem)}
        />
      </label>
    </Row>
  );
}
