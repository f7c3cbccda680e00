/** Text: one line, or an area that fills what the node leaves it. Escape leaves to the node. */

import { Braces } from "lucide-react";
import { useId, useState } from "react";

import { isObject } from "@/graph/value";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { Icon } from "@/ui/Icon";

import { type FieldProps, hintOf, textOption } from "./field";
import { problemAria, Row } from "./Row";
import rowStyles from "./Row.module.css";
import styles from "./Text.module.css";
import { useTyping } from "./typing";

export function LineWidget({ target, input, value, label, problem }: FieldProps) {
  const typing = useTyping(target);
  const id = useId();
  return (
    <Row id={id} problem={problem} hint={hintOf(input, problem)}>
      <label className={rowStyles.field}>
        <span className={rowStyles.label}>{label}</span>
        <input
          className={classes(rowStyles.input, rowStyles.value)}
          value={textOf(value)}
          placeholder={textOption(input, "placeholder") ?? ""}
          spellCheck={false}
          autoComplete="off"
          {...problemAria(id, problem)}
          onFocus={typing.begin}
          onChange={(event) => typing.type(event.target.value)}
          onKeyDown={typing.press}
        />
      </label>
    </Row>
  );
}

interface AreaWidgetProps extends FieldProps {
  readonly onLeave?: () => void;
  /** Given: takes the focus when it appears. */
  readonly onAppear?: (element: HTMLTextAreaElement | null) => void;
}

export function AreaWidget({ target, input, value, label, problem, onLeave, onAppear }: AreaWidgetProps) {
  const typing = useTyping(target);
  // The wheel scrolls the text only while one is in it: else it zooms, as everywhere on the canvas.
  const [isIn, setIn] = useState(false);
  const id = useId();
  const text = textOf(value);
  const isDynamic = input.options["dynamicPrompts"] === true && /\{[^{}]*\|[^{}]*\}/.test(text);
  return (
    <div className={styles.area} title={hintOf(input, problem)}>
      <textarea
        {...(onAppear === undefined ? {} : { ref: onAppear })}
        className={classes(styles.text, problem !== null && styles.bad, isIn && "nowheel")}
        value={text}
        aria-label={label}
        placeholder={textOption(input, "placeholder") ?? label}
        spellCheck={false}
        {...problemAria(id, problem)}
        onFocus={() => {
          typing.begin();
          setIn(true);
        }}
        onBlur={() => {
          setIn(false);
          onLeave?.();
        }}
        onChange={(event) => typing.type(event.target.value)}
        onKeyDown={typing.press}
      />
      {isDynamic && (
        <span className={styles.dynamic} title={t("widget.dynamic_prompts")}>
          <Icon icon={Braces} size={12} />
        </span>
      )}
      {problem !== null && (
        <span id={id} hidden>
          {problem}
        </span>
      )}
    </div>
  );
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return value === null || isObject(value) || Array.isArray(value) ? "" : String(value);
}
