/** The line that a widget stands in: marks it when its value is wrong, and says so to screen readers. */

import type { ClipboardEventHandler, DragEventHandler, ReactNode } from "react";

import { classes } from "@/ui/class_names";
import { VisuallyHidden } from "@/ui/VisuallyHidden";

import styles from "./Row.module.css";

export interface RowProps {
  /** Of the sentence that says what is wrong; the control refers to it with `aria-describedby`. */
  readonly id: string;
  readonly problem: string | null;
  readonly hint: string | undefined;
  readonly className?: string | undefined;
  readonly onPaste?: ClipboardEventHandler;
  readonly onDragOver?: DragEventHandler;
  readonly onDragLeave?: DragEventHandler;
  readonly onDrop?: DragEventHandler;
  readonly children: ReactNode;
}

export function Row({ id, problem, hint, className, children, ...events }: RowProps) {
  return (
    <div className={classes(styles.row, problem !== null && styles.bad, className)} title={hint} {...events}>
      {children}
      {problem !== null && (
        <VisuallyHidden>
          <span id={id}>{problem}</span>
        </VisuallyHidden>
      )}
    </div>
  );
}

/** What says to assistive technology that a control's value is wrong, and where it reads why. */
export function problemAria(id: string, problem: string | null) {
  return problem === null ? {} : ({ "aria-invalid": true, "aria-describedby": id } as const);
}
