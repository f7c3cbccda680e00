/** A surface over the whole window that keeps the focus until it is closed: header, what is looked at, footer. */

import { X } from "lucide-react";
import type { KeyboardEvent, ReactNode } from "react";
import { Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";

import { t } from "@/texts/index";
import { IconButton } from "@/ui/IconButton";

import styles from "./FullWindow.module.css";

interface FullWindowProps {
  readonly title: string;
  readonly detail?: ReactNode;
  readonly actions?: ReactNode;
  readonly onClose: () => void;
  readonly onKeyDown?: (event: KeyboardEvent) => void;
  /** Escape and a press beside it do not close it: there is something to lose. */
  readonly isKept?: boolean;
  readonly children: ReactNode;
}

export function FullWindow(props: FullWindowProps) {
  const { title, detail, actions, onClose, onKeyDown, isKept = false, children } = props;
  return (
    <ModalOverlay
      isOpen
      isKeyboardDismissDisabled={isKept}
      onOpenChange={(open) => !open && onClose()}
      className={styles.overlay ?? ""}
    >
      <Modal className={styles.modal ?? ""}>
        {/* eslint-disable-next-line jsx-a11y/no-static-element-interactions -- shortcuts of the dialog and all inside */}
        <div className={styles.column} onKeyDown={onKeyDown}>
          <Dialog className={styles.dialog ?? ""}>
            <header className={styles.header}>
              <div className={styles.titles}>
                <Heading slot="title" className={styles.title ?? ""}>
                  {title}
                </Heading>
                {detail !== undefined && <div className={styles.detail}>{detail}</div>}
              </div>
              <div className={styles.actions}>
                {actions}
                <IconButton icon={X} label={t("ui.close")} shortcut="Escape" onPress={onClose} />
              </div>
            </header>
            {children}
          </Dialog>
        </div>
      </Modal>
    </ModalOverlay>
  );
}
