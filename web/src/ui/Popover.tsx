/** Something that floats beside the control it belongs to, until Escape or a press elsewhere. */

import { type ReactNode, type RefObject, useMemo } from "react";
import { Dialog, Popover as AriaPopover, type PopoverProps as AriaPopoverProps } from "react-aria-components";

import { classes } from "./class_names";
import styles from "./Popover.module.css";

interface PopoverProps {
  readonly anchor: RefObject<Element | null> | Element;
  readonly isOpen: boolean;
  readonly onClose: () => void;
  /** What it is, for screen readers. */
  readonly label: string;
  readonly placement?: NonNullable<AriaPopoverProps["placement"]>;
  /** Without space around its content: for lists. */
  readonly isBare?: boolean;
  readonly children: ReactNode;
}

export function Popover(props: PopoverProps) {
  const { anchor, isOpen, onClose, label, placement = "bottom start", isBare = false, children } = props;
  const ref = useMemo(() => (anchor instanceof Element ? { current: anchor } : anchor), [anchor]);
  return (
    <AriaPopover
      triggerRef={ref}
      isOpen={isOpen}
      onOpenChange={(open) => !open && onClose()}
      placement={placement}
      offset={4}
      className={styles.popover ?? ""}
    >
      <Dialog aria-label={label} className={classes(styles.dialog, !isBare && styles.padded)}>
        {children}
      </Dialog>
    </AriaPopover>
  );
}
