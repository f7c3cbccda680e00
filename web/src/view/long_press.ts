/** A finger that stays where it is asks for the menu, as the right button does. Not every tablet says so by itself. */

import { type TouchEvent, useRef } from "react";

/** How long, in milliseconds, and how far, in pixels, a finger may wander meanwhile. */
const LONG = 500;
const STILL = 10;

interface Press {
  readonly x: number;
  readonly y: number;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly said: { isLong: boolean };
}

/** Handlers for the element that everything with a menu stands in. */
export function useLongPress() {
  const press = useRef<Press | null>(null);
  const forget = (): void => {
    if (press.current !== null) clearTimeout(press.current.timer);
    press.current = null;
  };
  return {
    onTouchStartCapture: (event: TouchEvent): void => {
      forget();
      const finger = event.touches[0];
      if (finger === undefined || event.touches.length > 1 || isField(event.target)) return;
      const { clientX: x, clientY: y, target } = finger;
      const said = { isLong: false };
      const timer = setTimeout(() => {
        said.isLong = true;
        ask(target, x, y);
      }, LONG);
      press.current = { x, y, timer, said };
    },
    onTouchMoveCapture: (event: TouchEvent): void => {
      const finger = event.touches[0];
      const from = press.current;
      if (finger === undefined || from === null || from.said.isLong) return;
      if (Math.hypot(finger.clientX - from.x, finger.clientY - from.y) > STILL) forget();
    },
    onTouchEndCapture: (event: TouchEvent): void => {
      // What opened is not to be closed by the click that a lifted finger makes.
      if (press.current?.said.isLong === true && event.cancelable) event.preventDefault();
      forget();
    },
    onTouchCancelCapture: forget,
  };
}

function ask(target: EventTarget, clientX: number, clientY: number): void {
  target.dispatchEvent(
    new MouseEvent("contextmenu", { bubbles: true, cancelable: true, clientX, clientY, button: 2, view: window }),
  );
}

/** In a field a long press marks text. */
function isField(target: EventTarget): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}
