/** A kind of node in a list: its name with what matched the search marked, where it belongs, and its sockets. */

import type { Hit } from "@/graph/search";
import { t } from "@/texts/index";

import styles from "./NodeName.module.css";

export function NodeName({ hit }: { readonly hit: Hit }) {
  return (
    <span className={styles.row}>
      <span className={styles.name}>
        <Marked text={hit.title} ranges={hit.ranges} />
      </span>
      <span className={styles.category}>{hit.category.replaceAll("/", " › ")}</span>
    </span>
  );
}

/** What was searched for, marked in a text. `ranges`: (first, behind the last) characters. */
function Marked({ text, ranges }: { readonly text: string; readonly ranges: Hit["ranges"] }) {
  const parts = [];
  let place = 0;
  for (const [start, end] of ranges) {
    if (start > place) parts.push(text.slice(place, start));
    parts.push(
      <mark key={start} className={styles.mark}>
        {text.slice(start, end)}
      </mark>,
    );
    place = end;
  }
  return (
    <>
      {parts}
      {text.slice(place)}
    </>
  );
}

/** The types that go in or come out, as coloured dots with their names for those who cannot see colours. */
export function Sockets({ types, side }: { readonly types: readonly string[]; readonly side: "in" | "out" }) {
  if (types.length === 0) return null;
  return (
    <span className={styles.sockets}>
      <span className={styles.side}>{t(side === "in" ? "palette.takes" : "palette.gives")}</span>
      {types.map((type) => (
        <span key={type} className={styles.socket}>
          <span className={styles.dot} style={{ background: `var(--type-${type}, var(--type-any))` }} />
          {type}
        </span>
      ))}
    </span>
  );
}
