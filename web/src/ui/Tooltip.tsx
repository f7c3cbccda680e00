/** A few words about the control that is pointed at or has the focus. `children` is that one control. */

import { isValidElement, type ReactElement } from "react";
import { Tooltip as AriaTooltip, Focusable, TooltipTrigger } from "react-aria-components";

import { Keys } from "./Keys";
import styles from "./Tooltip.module.css";

interface TooltipProps {
  readonly text: string;
  readonly shortcut?: string | undefined;
  readonly placement?: "top" | "bottom" | "left" | "right";
  /** A button of this kit, or a plain element that can have the focus. */
  readonly children: ReactElement;
}

export function Tooltip({ text, shortcut, placement = "bottom", children }: TooltipProps) {
  return (
    <TooltipTrigger delay={600} closeDelay={80}>
      {isPlainElement(children) ? <Focusable>{children}</Focusable> : children}
      <AriaTooltip placement={placement} offset={6} className={styles.tooltip ?? ""}>
        {text}
        {shortcut !== undefined && <Keys keys={shortcut} />}
      </AriaTooltip>
    </TooltipTrigger>
  );
}

function isPlainElement(children: ReactElement): children is ReactElement<object, string> {
  return isValidElement(children) && typeof children.type === "string";
}
