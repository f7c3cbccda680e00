/** Typing as people think of it: what is written without a longer pause is one step of undo. */

import { useRef } from "react";

import { give, mergeKey, type Target } from "./target";

const PAUSE_MS = 1200;

let stretches = 0;

/** How a text widget changes its value and its focus. */
export function useTyping(target: Target) {
  const typing = useRef({ last: 0, stretch: 0 });
  return {
    begin: (): void => {
      typing.current.last = 0;
    },
    type: (text: string): void => {
      const now = performance.now();
      const { last, stretch } = typing.current;
      const isGoingOn = last !== 0 && now - last < PAUSE_MS;
      if (!isGoingOn) stretches += 1;
      typing.current = { last: now, stretch: isGoingOn ? stretch : stretches };
      give(target, text, mergeKey(target, `typing ${typing.current.stretch}`));
    },
  };
}

/** Gives the focus to the node that an element stands in: Escape's way out of a text. */
export function leaveToNode(element: HTMLElement): void {
  const node = element.closest<HTMLElement>(".react-flow__node");
  if (node === null) element.blur();
  else node.focus();
}
