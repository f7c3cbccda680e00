/** The line between two pictures: what is left of it shows `children`. Moved by pointer, finger or the keys of sliders. */

import { ChevronsLeftRight } from "lucide-react";
import { type KeyboardEvent, type PointerEvent, type ReactNode, useEffect, useRef } from "react";

import { t } from "@/texts/index";
import { Icon } from "@/ui/Icon";

import { keyedPart, lineAt, partAt } from "./compare";
import styles from "./CompareLine.module.css";
import type { Size } from "./zoom";

interface CompareLineProps {
  /** 0 to 1, from left to right of what one sees. */
  readonly part: number;
  readonly span: readonly [number, number];
  readonly frame: Size;
  readonly onChange: (part: number) => void;
  readonly children: ReactNode;
}

export function CompareLine({ part, span, frame, onChange, children }: CompareLineProps) {
  const ref = useRef<HTMLDivElement>(null);
  const x = lineAt(part, span);
  useEffect(() => ref.current?.focus({ preventScroll: true }), []); // its keys work at once
  const percent = Math.round(part * 100);

  const follow = (event: PointerEvent<HTMLDivElement>) => {
    const left = ref.current?.parentElement?.getBoundingClientRect().left ?? 0;
    onChange(partAt(event.clientX - left, span));
  };
  const onPointerMove = (event: PointerEvent<HTMLDivElement>) => {
    if (event.currentTarget.hasPointerCapture(event.pointerId)) follow(event);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const next = keyedPart(part, event.key);
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    onChange(next);
  };
  return (
    <>
      <div className={styles.clipped} style={{ clipPath: `inset(0 ${Math.max(0, frame.width - x)}px 0 0)` }}>
        {children}
      </div>
      <div
        ref={ref}
        role="slider"
        tabIndex={0}
        aria-label={t("compare.line")}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        aria-valuetext={t("compare.line_value", { percent })}
        className={styles.line}
        style={{ transform: `translateX(${x}px)` }}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onKeyDown={onKeyDown}
      >
        <span className={styles.knob}>
          <Icon icon={ChevronsLeftRight} />
        </span>
      </div>
    </>
  );
}

function onPointerDown(event: PointerEvent<HTMLDivElement>): void {
  if (event.button !== 0) return;
  event.stopPropagation(); // the picture below is not dragged along
  event.currentTarget.setPointerCapture(event.pointerId);
  event.currentTarget.focus();
}
