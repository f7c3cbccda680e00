/** One of the choices that the server offers, or several of them. What it does not offer any more stays, marked. */

import { ChevronDown, TriangleAlert } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";

import type { InputType } from "@/graph/node_type";
import type { Value } from "@/graph/value";
import { checkValue } from "@/graph/values";
import { keyOf, remoteOf, showChoices, useRemoteChoices } from "@/state/remote_choices";
import { t } from "@/texts/index";
import { Icon } from "@/ui/Icon";
import { Popover } from "@/ui/Popover";
import { VisuallyHidden } from "@/ui/VisuallyHidden";

import { ChoiceList } from "./ChoiceList";
import { isAmong, neighbour, textOf } from "./choices";
import { type FieldProps, hintOf } from "./field";
import { problemAria, Row, type RowProps } from "./Row";
import styles from "./Row.module.css";
import { give } from "./target";

interface ChoiceWidgetProps extends FieldProps {
  readonly isMultiple?: boolean;
  /** What may be chosen besides the input's choices: files that were uploaded since. */
  readonly more?: readonly Value[];
  readonly tools?: ReactNode;
  readonly row?: Pick<RowProps, "className" | "onPaste" | "onDragOver" | "onDragLeave" | "onDrop">;
}

const NONE: readonly Value[] = [];

export function ChoiceWidget(props: ChoiceWidgetProps) {
  const { target, input, value, label, problem, isMultiple = false, more = NONE, tools, row } = props;
  // Open: how wide the field is, which the list is not narrower than.
  const [width, setWidth] = useState<number | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const open = (): void => setWidth(button.current?.getBoundingClientRect().width ?? 0);
  const choices = useChoices(input);
  const offered = more.length === 0 ? choices : [...more.filter((each) => !isAmong(choices, each)), ...choices];
  const chosen = chosenOf(value, isMultiple);
  const isMissing = choices.length > 0 && chosen.some((each) => !isAmong(offered, each));
  const choose = (next: Value): void => {
    give(target, isMultiple ? toggled(chosen, next) : next);
    if (!isMultiple) setWidth(null);
  };
  const press = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") open();
    else if (steps !== undefined && !isMultiple && offered.length > 0) give(target, neighbour(offered, value, steps));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const text = textFor(chosen, isMultiple);
  return (
    <Row id={id} problem={problem} hint={hintOf(input, problem) ?? (text.length > 24 ? text : undefined)} {...row}>
      <button
        ref={button}
        type="button"
        className={styles.field}
        aria-haspopup="dialog"
        aria-expanded={width !== null}
        {...problemAria(id, problem)}
        onClick={open}
        onKeyDown={press}
      >
        <span className={styles.label}>{label}</span>
        <span className={styles.value}>{text}</span>
        {isMissing && (
          <span className={styles.warning} title={t("widget.missing_choice")}>
            <Icon icon={TriangleAlert} size={13} />
            <VisuallyHidden>{t("widget.missing_choice")}</VisuallyHidden>
          </span>
        )}
        <Icon icon={ChevronDown} size={13} className={styles.chevron} />
      </button>
      {tools}
      {width !== null && (
        <Popover anchor={button} isOpen onClose={() => setWidth(null)} label={label} isBare>
          <ChoiceList
            label={label}
            choices={offered}
            chosen={chosen}
            onChoose={choose}
            mayTake={(typed) => checkValue(input, typed) === null}
            width={width}
          />
        </Popover>
      )}
    </Row>
  );
}

/** The input's own choices, or those that a plugin's route offers. */
function useChoices(input: InputType): readonly Value[] {
  const remote = remoteOf(input);
  const read = useRemoteChoices((state) => (remote === null ? undefined : state.choices.get(keyOf(remote))));
  useEffect(() => {
    const asked = remoteOf(input);
    if (asked !== null) showChoices(asked);
  }, [input]);
  return read ?? input.choices ?? NONE;
}

function chosenOf(value: Value, isMultiple: boolean): readonly Value[] {
  if (isMultiple) return Array.isArray(value) ? (value as readonly Value[]) : NONE;
  return value === null || value === "" ? NONE : [value];
}

function toggled(chosen: readonly Value[], value: Value): readonly Value[] {
  return isAmong(chosen, value) ? chosen.filter((each) => !isAmong([value], each)) : [...chosen, value];
}

function textFor(chosen: readonly Value[], isMultiple: boolean): string {
  if (chosen.length === 0) return t("widget.nothing_chosen");
  return isMultiple && chosen.length > 2
    ? t("widget.many_chosen", { count: chosen.length })
    : chosen.map(textOf).join(", ");
}
