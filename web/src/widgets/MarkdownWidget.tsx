/** A note in Markdown: drawn while it is read, its text while it is written (double-click or Enter). */

import { lazy, Suspense, useState } from "react";

import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";

import type { FieldProps } from "./field";
import styles from "./Text.module.css";
import { AreaWidget } from "./TextWidget";

const MarkdownView = lazy(() => import("./MarkdownView"));

export function MarkdownWidget(props: FieldProps) {
  const [isWriting, setWriting] = useState(false);
  const text = typeof props.value === "string" ? props.value : "";
  if (isWriting) return <AreaWidget {...props} onLeave={() => setWriting(false)} onAppear={takeFocus} />;
  return (
    <div className={styles.area}>
      <div
        role="textbox"
        aria-multiline
        aria-readonly
        aria-label={t("widget.note", { label: props.label })}
        tabIndex={0}
        className={classes(styles.text, styles.markdown)}
        onDoubleClick={() => setWriting(true)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.target !== event.currentTarget) return;
          event.preventDefault();
          event.stopPropagation();
          setWriting(true);
        }}
      >
        {text === "" ? (
          <p className={styles.empty}>{t("widget.empty_note")}</p>
        ) : (
          <Suspense fallback={text}>
            <MarkdownView text={text} />
          </Suspense>
        )}
      </div>
    </div>
  );
}

function takeFocus(element: HTMLTextAreaElement | null): void {
  element?.focus();
}
