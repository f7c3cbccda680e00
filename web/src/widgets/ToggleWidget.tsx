/** Yes or no, in the words of the node's author where there are any. */

import { useId } from "react";

import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";

import { type FieldProps, hintOf, textOption } from "./field";
import { problemAria, Row } from "./Row";
import rowStyles from "./Row.module.css";
import { give } from "./target";
import styles from "./Toggle.module.css";

export function ToggleWidget({ target, input, value, label, problem }: FieldProps) {
  const id = useId();
  const isOn = value === true || value === 1 || value === "true";
  const words = isOn
    ? (textOption(input, "label_on") ?? t("widget.on"))
    : (textOption(input, "label_off") ?? t("widget.off"));
  return (
    <Row id={id} problem={problem} hint={hintOf(input, problem)}>
      <button
        type="button"
        role="switch"
        aria-checked={isOn}
        className={rowStyles.field}
        {...problemAria(id, problem)}
        onClick={() => give(target, !isOn)}
      >
        <span className={rowStyles.label}>{label}</span>
        <span className={rowStyles.value}>{words}</span>
        <span className={classes(styles.track, isOn && styles.on)}>
          <span className={styles.thumb} />
        </span>
      </button>
    </Row>
  );
}
