/** What is wrong with a node, in words below it. */

import { memo } from "react";

import type { Problem } from "@/state/problems";
import { Icon } from "@/ui/Icon";
import { CircleAlert } from "lucide-react";

import styles from "./NodeCard.module.css";

const MOST_SHOWN = 3;

export const NodeMessages = memo(function NodeMessages({ problems }: { readonly problems: readonly Problem[] }) {
  const lines = [...new Set(problems.map(lineOf))];
  return (
    <div className={styles.messages} aria-hidden>
      {lines.slice(0, MOST_SHOWN).map((line) => (
        <p key={line}>
          <Icon icon={CircleAlert} size={13} />
          <span>{line}</span>
        </p>
      ))}
      {lines.length > MOST_SHOWN && <p>+{lines.length - MOST_SHOWN}</p>}
    </div>
  );
});

function lineOf({ input, message }: Problem): string {
  return input === null || message.includes(input) ? message : `${input}: ${message}`;
}
