/** The inside of a drawer: a header with a title and its actions, and a body that scrolls. */

import { X } from "lucide-react";
import { type ReactNode, useId } from "react";

import { t } from "@/texts/index";

import { IconButton } from "./IconButton";
import styles from "./Panel.module.css";

interface PanelProps {
  readonly title: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
  readonly onClose?: (() => void) | undefined;
}

export function Panel({ title, actions, children, onClose }: PanelProps) {
  const id = useId();
  return (
    <section className={styles.panel} aria-labelledby={id}>
      <header className={styles.header}>
        <h2 id={id} className={styles.title}>
          {title}
        </h2>
        {actions}
        {onClose !== undefined && <IconButton icon={X} label={t("ui.close")} onPress={onClose} />}
      </header>
      <div className={styles.body}>{children}</div>
    </section>
  );
}
