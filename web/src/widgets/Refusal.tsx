/** Why what was typed was not taken, beneath the field, for as long as it takes to read: give it the text as `key`. */

import { useEffect, useEffectEvent } from "react";
import { createPortal } from "react-dom";

import styles from "./Refusal.module.css";

const SECONDS = 6;

interface RefusalProps {
  readonly at: DOMRect;
  readonly text: string;
  readonly onOver: () => void;
}

export function Refusal({ at, text, onOver }: RefusalProps) {
  const over = useEffectEvent(onOver);
  useEffect(() => {
    const timer = setTimeout(() => over(), SECONDS * 1000);
    return () => clearTimeout(timer);
  }, []);
  const left = Math.max(8, Math.min(at.left, window.innerWidth - 328));
  const top = at.bottom + 64 > window.innerHeight ? at.top - 44 : at.bottom + 4;
  return createPortal(
    <div role="alert" className={styles.bubble} style={{ left, top }}>
      {text}
    </div>,
    document.body,
  );
}
