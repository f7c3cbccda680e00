/** A word or number in a pill: a state, a count. */

import type { ReactNode } from "react";

import styles from "./Badge.module.css";
import { classes } from "./class_names";

type Tone = "neutral" | "accent" | "info" | "success" | "warning" | "error";

export function Badge({ tone = "neutral", children }: { readonly tone?: Tone; readonly children: ReactNode }) {
  return <span className={classes(styles.badge, styles[tone])}>{children}</span>;
}
