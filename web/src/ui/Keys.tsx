/** A shortcut, drawn as the caps of its keys. */

import { keycaps } from "./keycaps";
import styles from "./Keys.module.css";

export function Keys({ keys }: { readonly keys: string }) {
  return (
    <span className={styles.keys}>
      {keycaps(keys).map((cap) => (
        <kbd key={cap} className={styles.key}>
          {cap}
        </kbd>
      ))}
    </span>
  );
}
