/** The browser's own copy, cut and paste: Ctrl+C on the canvas copies nodes; a pasted picture or workflow is opened. */

import { useEffect } from "react";

import { openContent, openFiles } from "@/state/opening";
import { activeTab } from "@/state/workbench";
import { t } from "@/texts/index";

import { clipOf, copySelection, cutSelection, pasteClip } from "./clipboard";
import { looksLikeWorkflow } from "./pasted_text";

const FIELD = "input,textarea,select,[contenteditable=true],[role=dialog],[role=alertdialog]";

export function ClipboardEvents() {
  useEffect(() => {
    const take = (event: ClipboardEvent): void => {
      if (isElsewhere(event) || hasMarkedText()) return;
      const text = event.type === "cut" ? cutSelection() : copySelection();
      if (text === null) return;
      event.preventDefault();
      event.clipboardData?.setData("text/plain", text);
    };
    const give = (event: ClipboardEvent): void => {
      if (isElsewhere(event) || event.clipboardData === null) return;
      if (pasteFrom(event.clipboardData)) event.preventDefault();
    };
    document.addEventListener("copy", take);
    document.addEventListener("cut", take);
    document.addEventListener("paste", give);
    return () => {
      document.removeEventListener("copy", take);
      document.removeEventListener("cut", take);
      document.removeEventListener("paste", give);
    };
  }, []);
  return null;
}

/** Returns: whether there was anything for us. */
function pasteFrom(data: DataTransfer): boolean {
  const files = [...data.files];
  if (files.length > 0) {
    void openFiles(files);
    return true;
  }
  const text = data.getData("text/plain");
  const clip = clipOf(text);
  if (clip !== null && activeTab() !== null) pasteClip(clip, false);
  else if (looksLikeWorkflow(text)) openContent(text, t("opening.pasted"));
  else return false;
  return true;
}

/** Whether the text in a field, or a dialog, is meant. */
function isElsewhere(event: ClipboardEvent): boolean {
  return event.defaultPrevented || (event.target instanceof Element && event.target.closest(FIELD) !== null);
}

function hasMarkedText(): boolean {
  return (window.getSelection()?.toString() ?? "") !== "";
}
