/** A colour: the browser's own field to choose it, and its digits to type. */

import { useId, useState } from "react";

import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";

import styles from "./Color.module.css";
import { keepAlpha, readColor, withoutAlpha } from "./color_value";
import { type FieldProps, hintOf } from "./field";
import { problemAria, Row } from "./Row";
import rowStyles from "./Row.module.css";
import { give, mergeKey } from "./target";

export function ColorWidget({ target, input, value, label, problem }: FieldProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const id = useId();
  const text = typeof value === "string" ? value : "";
  const color = readColor(text);
  const take = (): void => {
    const next = draft === null ? null : readColor(draft);
    if (next !== null) give(target, next);
    setDraft(null);
  };
  return (
    <Row id={id} problem={problem} hint={hintOf(input, problem)}>
      <div className={rowStyles.field}>
        <span className={rowStyles.label}>{label}</span>
        <input
          className={classes(rowStyles.input, rowStyles.value, styles.digits)}
          value={draft ?? text}
          aria-label={label}
          spellCheck={false}
          autoComplete="off"
          maxLength={9}
          {...problemAria(id, problem)}
          onChange={(event) => setDraft(event.target.value)}
          onBlur={take}
          onKeyDown={(event) => {
            if (event.key === "Enter") take();
            else if (event.key === "Escape") {
              event.stopPropagation();
              setDraft(null);
            }
          }}
        />
        <input
          type="color"
          className={styles.swatch}
          aria-label={t("widget.choose_color", { label })}
          value={withoutAlpha(color ?? "#000000")}
          onChange={(event) => give(target, keepAlpha(event.target.value, color), mergeKey(target, "color"))}
        />
      </div>
    </Row>
  );
}
