/** Something is on its way. */

import { t } from "@/texts/index";

import styles from "./Spinner.module.css";

interface SpinnerProps {
  readonly size?: number;
  /** What is on its way; left out: "Loading". */
  readonly label?: string | undefined;
}

export function Spinner({ size = 16, label }: SpinnerProps) {
  return (
    <span
      role="progressbar"
      aria-label={label ?? t("ui.loading")}
      className={styles.spinner}
      style={{ width: size, height: size }}
    />
  );
}
