/**
 * Short messages at the bottom. What only informs goes by itself, unless it is pointed at or has the focus; warnings
 * and errors stay until they are dismissed.
 */

import { CircleAlert, CircleCheck, Info, TriangleAlert, X } from "lucide-react";
import { useEffect, useState } from "react";

import { t } from "@/texts/index";

import { Button } from "./Button";
import { classes } from "./class_names";
import { Icon, type LucideIcon } from "./Icon";
import { IconButton } from "./IconButton";
import styles from "./Toasts.module.css";

/** As in `state/toasts`. */
export interface ToastData {
  readonly id: number;
  readonly tone: "info" | "success" | "warning" | "error";
  readonly text: string;
  readonly detail: string;
  readonly action: { readonly label: string; readonly run: () => void } | null;
}

interface ToastsProps {
  readonly toasts: readonly ToastData[];
  readonly onDismiss: (id: number) => void;
}

const SECONDS = 6;
const ICONS: Readonly<Record<ToastData["tone"], LucideIcon>> = {
  info: Info,
  success: CircleCheck,
  warning: TriangleAlert,
  error: CircleAlert,
};

export function Toasts({ toasts, onDismiss }: ToastsProps) {
  return (
    // Messages can be read and answered while a dialog is open.
    <ol
      data-react-aria-top-layer="true"
      className={styles.host}
      aria-label={t("ui.messages")}
      aria-live="polite"
      aria-relevant="additions"
    >
      {toasts.map((toast) => (
        <ToastCard key={toast.id} toast={toast} onDismiss={onDismiss} />
      ))}
    </ol>
  );
}

function ToastCard({ toast, onDismiss }: { readonly toast: ToastData; readonly onDismiss: (id: number) => void }) {
  const [isHeld, setHeld] = useState(false);
  const { id, tone, text, detail, action } = toast;
  const goes = (tone === "info" || tone === "success") && !isHeld;
  useEffect(() => {
    if (!goes) return;
    const timer = setTimeout(() => onDismiss(id), SECONDS * 1000);
    return () => clearTimeout(timer);
  }, [goes, id, onDismiss]);
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- only to hold it while it is read
    <li
      className={classes(styles.toast, styles[tone])}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <Icon icon={ICONS[tone]} className={styles.icon} />
      <div className={styles.words} role={tone === "error" ? "alert" : undefined}>
        <p className={styles.text}>{text}</p>
        {detail !== "" && <p className={styles.detail}>{detail}</p>}
        {action !== null && (
          <Button variant="quiet" size="sm" className={styles.action} onPress={action.run}>
            {action.label}
          </Button>
        )}
      </div>
      <IconButton icon={X} size="sm" label={t("ui.dismiss")} className={styles.close} onPress={() => onDismiss(id)} />
    </li>
  );
}
