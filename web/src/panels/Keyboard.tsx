/** The keyboard, in one place: one listener that finds the command a key is for. It draws nothing. */

import { useEffect } from "react";

import { perform, useCommands } from "@/state/commands";

import { commandFor } from "./keys";

/** What keeps its meaning while one types: nothing that a text field does itself with the same keys. */
const WHILE_TYPING = /^(run|file|tab|problems)\.|^help\.commands$|^node\.run_to$/;
/** The browser does these itself, and tells us by events (files/ClipboardEvents). */
const BY_THE_BROWSER = /^edit\.(cut|copy|paste)$/;
const FIELD =
  "input:not([type=checkbox],[type=radio],[type=range],[type=button]),textarea,select,[contenteditable=true]";
const OVERLAY = '[role="dialog"],[role="alertdialog"],[role="menu"],[role="listbox"],[data-keys="own"]';
const PRESSED_BY_SPACE =
  'button,a[href],summary,input,[role="button"],[role="tab"],[role="treeitem"],[role="row"],[role="switch"],[role="option"],[role="slider"]';

export function Keyboard() {
  useEffect(() => {
    // Tab opens the palette for people who work with the pointer; for those who walk with it, it walks on.
    let walks = true;
    const point = (): void => {
      walks = false;
    };
    const press = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.isComposing) return;
      const wasWalking = walks;
      if (event.key === "Tab") walks = true;
      if (!mayAct(event, wasWalking)) return;
      const command = commandFor(event, useCommands.getState().commands.values());
      if (command === null || BY_THE_BROWSER.test(command.id)) return;
      if (isTyping(event) && !WHILE_TYPING.test(command.id)) return;
      event.preventDefault();
      if (event.key === "Tab") walks = false;
      perform(command.id);
    };
    const pressFirst = (event: KeyboardEvent): void => {
      if (!isOverButton(event)) return;
      press(event);
      if (event.defaultPrevented) event.stopPropagation();
    };
    window.addEventListener("pointerdown", point, true);
    window.addEventListener("keydown", pressFirst, true);
    window.addEventListener("keydown", press);
    return () => {
      window.removeEventListener("pointerdown", point, true);
      window.removeEventListener("keydown", pressFirst, true);
      window.removeEventListener("keydown", press);
    };
  }, []);
  return null;
}

/** Whether a key may be a command here at all: menus and dialogs have their own keys, and Space presses what has focus. */
function mayAct(event: KeyboardEvent, walks: boolean): boolean {
  const at = event.target instanceof Element ? event.target : null;
  if (at?.closest(OVERLAY) != null) return false;
  if (event.key === "Tab") return !walks && !isTyping(event) && isOnCanvas(at);
  if (event.code === "Space" || event.key === "Enter") {
    return hasModifier(event) || at?.closest(PRESSED_BY_SPACE) == null;
  }
  return true;
}

/** Enter or Space with Ctrl, ⌘ or Alt on a button, which would press itself with it: the command has the first word. */
function isOverButton(event: KeyboardEvent): boolean {
  const isPress = event.code === "Space" || event.key === "Enter";
  return isPress && hasModifier(event) && event.target instanceof HTMLButtonElement;
}

function hasModifier({ ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  return ctrlKey || metaKey || altKey;
}

/** Plain keys while something is typed belong to the text; so do those with Mod that edit it. */
function isTyping(event: KeyboardEvent): boolean {
  return event.target instanceof Element && event.target.closest(FIELD) !== null;
}

function isOnCanvas(at: Element | null): boolean {
  return at === null || at === document.body || at.closest(".react-flow") !== null;
}
