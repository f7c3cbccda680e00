/** A window above everything that keeps the focus until it is closed: by its button, Escape, or a press beside it. */

import { X } from "lucide-react";
import type { ReactNode } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components";

import { t } from "@/texts/index";

import { classes } from "./class_names";
import styles from "./Dialog.module.css";
import { IconButton } from "./IconButton";

interface DialogProps {
  readonly title: string;
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly size?: "sm" | "md" | "lg" | "full";
  readonly footer?: ReactNode;
  /** "alertdialog" for a question that must be answered: a press beside it does not close it. */
  readonly role?: "dialog" | "alertdialog";
  readonly children?: ReactNode;
}

export function Dialog({ title, isOpen, onClose, size = "md", footer, role = "dialog", children }: DialogProps) {
  return (
    <ModalOverlay
      isOpen={isOpen}
      onOpenChange={(open) => !open && onClose()}
      isDismissable={role === "dialog"}
      className={styles.backdrop ?? ""}
    >
      <Modal className={classes(styles.modal, styles[size])}>
        <AriaDialog role={role} className={styles.dialog ?? ""}>
          <header className={styles.header}>
            <Heading slot="title" className={styles.title ?? ""}>
              {title}
            </Heading>
            {role === "dialog" && <IconButton icon={X} label={t("ui.close")} onPress={onClose} />}
          </header>
          <div className={styles.body}>{children}</div>
          {footer !== undefined && <footer className={styles.footer}>{footer}</footer>}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}
