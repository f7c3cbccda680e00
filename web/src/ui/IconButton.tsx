/** A button that is only an icon: its name is read to screen readers and shown, with its keys, when pointed at. */

import type { Ref } from "react";
import { Button as AriaButton, type ButtonProps as AriaButtonProps } from "react-aria-components";

import { classes } from "./class_names";
import { Icon, type LucideIcon } from "./Icon";
import styles from "./IconButton.module.css";
import { Tooltip } from "./Tooltip";

interface IconButtonProps extends Omit<AriaButtonProps, "children" | "className" | "style"> {
  readonly icon: LucideIcon;
  readonly label: string;
  /** Given: a toggle, and whether it is on. */
  readonly isActive?: boolean | undefined;
  readonly size?: "sm" | "md";
  /** "Mod+KeyZ", as in `state/commands`. */
  readonly shortcut?: string | undefined;
  readonly className?: string | undefined;
  readonly ref?: Ref<HTMLButtonElement>;
}

export function IconButton(props: IconButtonProps) {
  const { icon, label, isActive, size = "md", shortcut, className, ...rest } = props;
  return (
    <Tooltip text={label} shortcut={shortcut}>
      <AriaButton
        {...rest}
        aria-label={label}
        {...(isActive === undefined ? {} : { "aria-pressed": isActive })}
        className={classes(styles.button, styles[size], isActive && styles.active, className)}
      >
        <Icon icon={icon} size={size === "sm" ? 14 : 16} />
      </AriaButton>
    </Tooltip>
  );
}
