/** Typing as people think of it: what is written without a longer pause is one step of undo. */

import { type KeyboardEvent, useRef } from "react";

import { redo, undo } from "@/state/workbench";

import { give, mergeKey, type Target } from "./target";

const PAUSE_MS = 1200;

let stretches = 0;

/** How a text widget changes its value and its focus. */
export function useTyping(target: Target) {
  const typing = useRef({ last: 0, stretch: 0 });
  const begin = (): void => {
    typing.current.last = 0;
  };
  return {
    begin,
    press: (event: KeyboardEvent<HTMLElement>): void => {
      const change = event.nativeEvent.isComposing ? null : changeOf(event);
      if (change === null) return;
      event.preventDefault();
      event.stopPropagation();
      begin();
      change(event.currentTarget);
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

/** There is one history, of everything: the browser's own for each field would go ways of its own. */
function changeOf(event: KeyboardEvent): ((element: HTMLElement) => void) | null {
  if (event.key === "Escape") return leaveToNode;
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return null;
  const key = event.key.toLowerCase();
  if (key === "z") return event.shiftKey ? redo : undo;
  return key === "y" ? redo : null;
}

/** Gives the focus to the node that an element stands in: Escape's way out of a text. */
function leaveToNode(element: HTMLElement): void {
  const node = element.closest<HTMLElement>('[role="group"][tabindex]');
  if (node === null) element.blur();
  else node.focus();
}
