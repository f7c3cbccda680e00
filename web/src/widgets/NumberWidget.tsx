/**
 * A number: drag it, step it, or click and type. Shift is ten times finer, Ctrl goes to round numbers. What cannot be
 * taken is refused with the reason, and the old value stays. `tools` stand at the right, for seeds.
 */

import { ChevronLeft, ChevronRight } from "lucide-react";
import { type KeyboardEvent, type PointerEvent, type ReactNode, useId, useRef, useState } from "react";

import { isNumeric } from "@/graph/value";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { Icon } from "@/ui/Icon";

import { type FieldProps, hintOf } from "./field";
import styles from "./Number.module.css";
import { NumberInput, type Refused } from "./NumberInput";
import { barOf, dragged, numberIn, type Numeric, placeOn, shown, stepped, valueAtPlace } from "./numbers";
import { Refusal } from "./Refusal";
import { problemAria, Row } from "./Row";
import rowStyles from "./Row.module.css";
import { give, mergeKey } from "./target";

interface NumberWidgetProps extends FieldProps {
  readonly isSlider?: boolean;
  readonly tools?: ReactNode;
}

interface Drag {
  readonly x: number;
  readonly start: Numeric;
  readonly place: DOMRect;
  readonly merge: string;
  hasMoved: boolean;
}

/** Movements smaller than this are a click of an unsteady hand. */
const CLICK_PIXELS = 3;

export function NumberWidget(props: NumberWidgetProps) {
  const { target, input, value, label, problem, isSlider = false, tools = null } = props;
  const [opened, setOpened] = useState<{ readonly text: string; readonly isTyping: boolean } | null>(null);
  const [refused, setRefused] = useState<Refused | null>(null);
  const field = useRef<HTMLDivElement>(null);
  const id = useId();
  const bar = barOf(input);
  const number = numberIn(value, input);
  const text = shown(value, input);
  // Seeds have tools instead, and need the room for their twenty digits; a slider may hold no other control.
  const hasSteps = tools === null && !isSlider;
  const place = bar === null ? null : placeOn(bar, number) * 100;
  const open = (key: string | null): void => setOpened({ text: key ?? text, isTyping: key !== null });
  const drag = useDrag(props, () => open(null));
  const close = (isReturning: boolean): void => {
    setOpened(null);
    if (isReturning) field.current?.focus();
  };
  const press = (event: KeyboardEvent): void => {
    if (event.target !== event.currentTarget) return;
    const next = afterKey(event, number, props);
    if (next === "type") open(event.key.length === 1 ? event.key : null);
    else if (next !== null) give(target, next, mergeKey(target, `keys ${pressOf(event)}`));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <Row id={id} problem={problem} hint={hintOf(input, problem)}>
      {/* oxlint-disable-next-line jsx-a11y/no-static-element-interactions -- it has one of two roles */}
      <div
        ref={field}
        role={isSlider ? "slider" : "spinbutton"}
        tabIndex={0}
        aria-label={label}
        aria-valuenow={Number(number)}
        aria-valuetext={text}
        {...limits(input.options["min"], input.options["max"])}
        {...problemAria(id, problem)}
        className={classes(rowStyles.field, styles.number, isSlider && styles.slider)}
        onKeyDown={press}
        {...drag}
        {...(isSlider ? { onDoubleClick: () => open(null) } : {})}
      >
        {place !== null && <span className={styles.bar} style={{ width: `${place}%` }} />}
        {isSlider && <span className={styles.thumb} style={{ left: `${place ?? 0}%` }} />}
        <span className={classes(rowStyles.label, styles.text)}>{label}</span>
        <span className={styles.steps}>
          {hasSteps && <Step icon={ChevronLeft} onStep={() => give(target, stepped(number, -1, input))} />}
          <span className={classes(rowStyles.value, styles.digits)} data-value>
            {text}
          </span>
          {hasSteps && <Step icon={ChevronRight} onStep={() => give(target, stepped(number, 1, input))} />}
        </span>
        {opened !== null && (
          <NumberInput
            initial={opened.text}
            isTyping={opened.isTyping}
            onRefuse={setRefused}
            input={input}
            label={label}
            onGive={(given) => give(target, given)}
            onClose={close}
          />
        )}
      </div>
      {tools}
      {refused !== null && (
        <Refusal key={refused.text} at={refused.at} text={refused.text} onOver={() => setRefused(null)} />
      )}
    </Row>
  );
}

let presses = 0;

/** Which press of a key it is: while one is held, all it does is one step of undo. */
function pressOf(event: KeyboardEvent): number {
  if (!event.repeat) presses += 1;
  return presses;
}

/** Seen and pressed by the pointer only: the keyboard has its arrows. */
function Step({ icon, onStep }: { readonly icon: typeof ChevronLeft; readonly onStep: () => void }) {
  return (
    <button
      type="button"
      tabIndex={-1}
      aria-hidden
      title={t(icon === ChevronLeft ? "widget.less" : "widget.more")}
      className={styles.step}
      onPointerDown={(event) => event.stopPropagation()}
      onDoubleClick={(event) => event.stopPropagation()}
      onClick={onStep}
    >
      <Icon icon={icon} size={13} />
    </button>
  );
}

function useDrag({ target, input, value, isSlider = false }: NumberWidgetProps, onClick: () => void) {
  const drag = useRef<Drag | null>(null);
  const follow = (event: PointerEvent, now: Drag): void => {
    const pace = { isFine: event.shiftKey, isRound: event.ctrlKey || event.metaKey };
    const { left, width } = now.place;
    const bar = isSlider && !pace.isFine ? barOf(input) : null;
    const next =
      bar === null
        ? dragged(now.start, event.clientX - now.x, width, input, pace)
        : valueAtPlace(bar, (event.clientX - left) / width, input);
    give(target, next, now.merge);
  };
  return {
    onPointerDown: (event: PointerEvent): void => {
      if (event.button !== 0 || event.target instanceof HTMLInputElement) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      drag.current = {
        x: event.clientX,
        start: numberIn(value, input),
        place: event.currentTarget.getBoundingClientRect(),
        merge: mergeKey(target, `drag ${event.timeStamp}`),
        hasMoved: isSlider,
      };
      if (isSlider) follow(event, drag.current);
    },
    onPointerMove: (event: PointerEvent): void => {
      const now = drag.current;
      if (now === null) return;
      now.hasMoved ||= Math.abs(event.clientX - now.x) >= CLICK_PIXELS;
      if (now.hasMoved) follow(event, now);
    },
    onPointerUp: (): void => {
      const isClick = drag.current !== null && !drag.current.hasMoved;
      drag.current = null;
      if (isClick) onClick();
    },
    onPointerCancel: (): void => {
      if (drag.current !== null) give(target, drag.current.start, drag.current.merge);
      drag.current = null;
    },
  };
}

/** Where a key leads: to another number, to typing one, or (null) nowhere. */
function afterKey(event: KeyboardEvent, number: Numeric, { input }: NumberWidgetProps): Numeric | "type" | null {
  const pace = { isFine: event.shiftKey, isRound: false };
  const { min, max } = input.options;
  if (event.altKey || event.metaKey || event.ctrlKey) return null;
  switch (event.key) {
    case "ArrowUp":
    case "ArrowRight":
      return stepped(number, 1, input, pace);
    case "ArrowDown":
    case "ArrowLeft":
      return stepped(number, -1, input, pace);
    case "PageUp":
      return stepped(number, 10, input);
    case "PageDown":
      return stepped(number, -10, input);
    case "Home":
      return isNumeric(min) ? stepped(min, 0, input) : null;
    case "End":
      return isNumeric(max) ? stepped(max, 0, input) : null;
    default:
      return event.key === "Enter" || event.key === "F2" || /^[-+.\d(]$/.test(event.key) ? "type" : null;
  }
}

function limits(min: unknown, max: unknown) {
  return {
    ...(isNumeric(min) ? { "aria-valuemin": Number(min) } : {}),
    ...(isNumeric(max) ? { "aria-valuemax": Number(max) } : {}),
  };
}
