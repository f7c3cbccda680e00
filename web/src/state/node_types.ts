/** The kinds of nodes that the server knows. Filled by `state/session.ts` when the server has said so. */

import { create } from "zustand";

import type { NodeType, NodeTypes } from "@/graph/node_type";

export interface NodeTypesState {
  readonly types: NodeTypes;
  /** "waiting": no worker has said yet; "failed": `message` says why. */
  readonly status: "waiting" | "ready" | "failed";
  readonly message: string;
}

export const useNodeTypes = create<NodeTypesState>()(() => ({ types: new Map(), status: "waiting", message: "" }));

export function useNodeType(id: string): NodeType | null {
  return useNodeTypes((state) => state.types.get(id) ?? null);
}

export function nodeTypes(): NodeTypes {
  return useNodeTypes.getState().types;
}
