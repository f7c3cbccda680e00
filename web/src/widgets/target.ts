/** Which value a widget holds, and how it changes: every widget edits through here, so everything can be undone. */

import type { Control, Document, GraphId, NodeId } from "@/graph/document";
import { setControl, setValue } from "@/graph/edits/values";
import type { Value } from "@/graph/value";
import { nodeTypes } from "@/state/node_types";
import { edit, tabOfDocument } from "@/state/workbench";

export interface Target {
  readonly documentId: string;
  readonly graphId: GraphId;
  readonly nodeId: NodeId;
  /** The input's name. */
  readonly name: string;
}

/** Sets the value. Changes in a row with the same `merge` are undone together. */
export function give(target: Target, value: Value, merge?: string): void {
  change(
    target,
    "edit.value",
    (document) => {
      return setValue(document, target.graphId, nodeTypes(), target.nodeId, target.name, value);
    },
    merge,
  );
}

export function giveControl(target: Target, control: Control): void {
  change(target, "edit.control", (document) => {
    return setControl(document, target.graphId, target.nodeId, target.name, control);
  });
}

export function change(target: Target, name: string, by: (document: Document) => Document, merge?: string): void {
  const tab = tabOfDocument(target.documentId);
  if (tab !== null) edit(name, by, { tab: tab.id, ...(merge === undefined ? {} : { merge }) });
}

/** A merge key of a widget's own: one for each gesture or stretch of typing. */
export function mergeKey(target: Target, gesture: string): string {
  return ["value", target.graphId, target.nodeId, target.name, gesture].join("/");
}
