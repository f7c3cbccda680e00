/**
 * What is wrong with a node: a line in its title bar, where it covers nothing, and all the words below the node while it
 * is selected or the line is pointed at.
 */

import { CircleAlert } from "lucide-react";

import type { Problem } from "@/state/problems";
import { Icon } from "@/ui/Icon";

import styles from "./NodeMessages.module.css";

const MOST_SHOWN = 6;

interface LinesProps {
  readonly lines: readonly string[];
}

/** In the title bar. Only the sign while all of it is shown below; the node's label has the words. */
export function MessageLine({ lines, isOpen, onPoint }: LinesProps & MessageLineProps) {
  const [first = ""] = lines;
  return (
    <span className={styles.line} onPointerEnter={onPoint} aria-hidden>
      <Icon icon={CircleAlert} size={14} />
      {!isOpen && <span className={styles.words}>{first}</span>}
      {!isOpen && lines.length > 1 && <span className={styles.more}>+{lines.length - 1}</span>}
    </span>
  );
}

export interface MessageLineProps {
  readonly isOpen: boolean;
  readonly onPoint: () => void;
}

/** Below the node, over what lies there. */
export function NodeMessages({ lines }: LinesProps) {
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
}

/** Every sentence once, with the input where it does not name it. */
export function linesOf(problems: readonly Problem[]): readonly string[] {
  return [...new Set(problems.map(lineOf))];
}

function lineOf({ input, message }: Problem): string {
  return input === null || message.includes(input) ? message : `${input}: ${message}`;
}
