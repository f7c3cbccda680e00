/** On an empty canvas: how to begin. */

import { t } from "@/texts/index";

import styles from "./Canvas.module.css";

export function Welcome() {
  return (
    <div className={styles.welcome}>
      <p>{t("canvas.empty.title")}</p>
      <p>{t("canvas.empty.text")}</p>
    </div>
  );
}
