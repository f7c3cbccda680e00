/** The field in which a number is typed: only there while it is typed. */

import { type KeyboardEvent, useCallback, useRef, useState } from "react";

import type { InputType } from "@/graph/node_type";
import { t } from "@/texts/index";

import { reasonText } from "./field";
import styles from "./Number.module.css";
import { isWhole, type Numeric, typed } from "./numbers";

interface NumberInputProps {
  readonly initial: string;
  /** Typing was begun by a key, which is all that `initial` has in it. */
  readonly isTyping: boolean;
  readonly input: InputType;
  readonly label: string;
  readonly onGive: (value: Numeric) => void;
  /** null: what was refused is being mended. */
  readonly onRefuse: (refused: Refused | null) => void;
  /** `isReturning`: the focus goes back to the number. */
  readonly onClose: (isReturning: boolean) => void;
}

export interface Refused {
  readonly at: DOMRect;
  readonly text: string;
}

export function NumberInput({ initial, isTyping, input, label, onGive, onRefuse, onClose }: NumberInputProps) {
  const [text, setText] = useState(initial);
  const isOver = useRef(false);
  const field = useRef<HTMLInputElement>(null);
  const begin = useCallback(
    (element: HTMLInputElement | null) => {
      field.current = element;
      element?.focus();
      if (isTyping) element?.setSelectionRange(1, 1);
      else element?.select();
    },
    [isTyping],
  );
  const take = (): boolean => {
    if (text === initial && !isTyping) return true;
    const outcome = typed(text, input);
    if (outcome.ok) onGive(outcome.value);
    else if (field.current !== null) {
      onRefuse({ at: field.current.getBoundingClientRect(), text: reasonText(outcome.reason) });
    }
    return outcome.ok;
  };
  const close = (isReturning: boolean): void => {
    if (isOver.current) return;
    isOver.current = true;
    onClose(isReturning);
  };
  const press = (event: KeyboardEvent): void => {
    const isRun = event.ctrlKey || event.metaKey;
    if (event.key === "Escape") close(true);
    else if (event.key === "Enter" && take() && !isRun) close(true);
    // Mod+Enter runs, and Tab goes on: both after the value was taken.
    if (!isRun && event.key !== "Tab") event.stopPropagation();
  };
  return (
    <input
      ref={begin}
      className={styles.typed}
      value={text}
      aria-label={label}
      inputMode={isWhole(input) ? "numeric" : "decimal"}
      autoComplete="off"
      spellCheck={false}
      title={t("widget.number_hint")}
      onChange={(event) => {
        setText(event.target.value);
        onRefuse(null);
      }}
      onKeyDown={press}
      onPointerDown={(event) => event.stopPropagation()}
      onBlur={() => {
        // What cannot be taken is dropped, and the reason stays to be read.
        if (!isOver.current) take();
        close(false);
      }}
    />
  );
}
