/** A value of a kind that nobody here knows how to edit: shown as JSON, kept as it is. */

import { stringify } from "@/format/json";

import { type FieldProps, hintOf } from "./field";
import styles from "./Text.module.css";

export function RawWidget({ input, value, label, problem }: FieldProps) {
  return (
    <div className={styles.area}>
      <textarea
        readOnly
        className={styles.text}
        aria-label={label}
        title={hintOf(input, problem)}
        value={`${label}: ${stringify(value, 2)}`}
      />
    </div>
  );
}
