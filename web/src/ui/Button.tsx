/** A button with words. Primary is for what acts (Run, Save), one in sight; quiet for toolbars; danger for loss. */

import type { ReactNode, Ref } from "react";
import { Button as AriaButton, type ButtonProps as AriaButtonProps } from "react-aria-components";

import styles from "./Button.module.css";
import { classes } from "./class_names";
import { Icon, type LucideIcon } from "./Icon";

export interface ButtonProps extends Omit<AriaButtonProps, "children" | "className" | "style"> {
  readonly variant?: "primary" | "plain" | "quiet" | "danger";
  readonly size?: "sm" | "md";
  readonly icon?: LucideIcon | undefined;
  readonly className?: string | undefined;
  readonly children?: ReactNode;
  readonly ref?: Ref<HTMLButtonElement>;
}

export function Button({ variant = "plain", size = "md", icon, className, children, ...rest }: ButtonProps) {
  return (
    <AriaButton {...rest} className={classes(styles.button, styles[variant], styles[size], className)}>
      {icon !== undefined && <Icon icon={icon} size={size === "sm" ? 14 : 16} />}
      {children}
    </AriaButton>
  );
}
