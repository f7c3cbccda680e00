/** A title being changed in its place: Enter or going elsewhere keeps what was typed, Escape does not. */

import { useEffect, useRef } from "react";

import { classes } from "@/ui/class_names";

import { setCanvas } from "./canvas_store";
import styles from "./NodeHeader.module.css";

interface RenameProps {
  readonly value: string;
  readonly label: string;
  /** null: it stays as it was. */
  readonly onDone: (text: string | null) => void;
}

export function Rename({ value, label, onDone }: RenameProps) {
  const field = useRef<HTMLInputElement>(null);
  const isOver = useRef(false);
  useEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, []);
  const end = (text: string | null): void => {
    if (isOver.current) return;
    isOver.current = true;
    const frame = field.current?.closest<HTMLElement>("[data-node], [role=group]");
    setCanvas({ renaming: null });
    onDone(text === null || text.trim() === value ? null : text.trim());
    frame?.focus({ preventScroll: true });
  };
  return (
    <input
      ref={field}
      className={classes(styles.rename, "nodrag", "nopan")}
      aria-label={label}
      defaultValue={value}
      onBlur={(event) => end(event.currentTarget.value)}
      onDoubleClick={(event) => event.stopPropagation()}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter") end(event.currentTarget.value);
        if (event.key === "Escape") end(null);
      }}
    />
  );
}
