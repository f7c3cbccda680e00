/** The dots of the canvas: moved with the view, without drawing anything anew in React. */

import { useStoreApi } from "@xyflow/react";
import { useEffect, useRef } from "react";

import styles from "./Canvas.module.css";

const GAP = 20;

export function Dots() {
  const sheet = useRef<HTMLDivElement>(null);
  const store = useStoreApi();
  useEffect(() => {
    let last: readonly number[] = [];
    const place = (): void => {
      const { transform } = store.getState();
      if (transform === last || sheet.current === null) return;
      last = transform;
      const [x, y, zoom] = transform;
      // Far away the dots stand twice, four times … as far apart, so that they never become a grey.
      const gap = GAP * zoom * 2 ** Math.max(0, Math.ceil(Math.log2(14 / (GAP * zoom))));
      const { style } = sheet.current;
      style.backgroundSize = `${gap}px ${gap}px`;
      style.backgroundPosition = `${x % gap}px ${y % gap}px`;
    };
    place();
    return store.subscribe(place);
  }, [store]);
  return <div ref={sheet} className={styles.dots} aria-hidden />;
}
