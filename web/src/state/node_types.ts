/** The kinds of nodes that the server knows. Filled by `state/session.ts` when the server has said so. */

import { create } from "zustand";

import { objectInfo } from "@/api/client";
import { asFailure, type Failure } from "@/api/failure";
import type { NodeType, NodeTypes } from "@/graph/node_type";
import { readObjectInfo } from "@/graph/object_info";
import { sameValue, type Value } from "@/graph/value";
import { t } from "@/texts/index";

interface NodeTypesState {
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

// ------------------------------------------------------------------------------------------------------------- loading

/** The answer that `types` was made from. */
let told: Value = null;
let loading: Promise<void> | null = null;
let cutShort: () => void = () => undefined;

/**
 * Asks the server for its node types until it has them; what is known already stays until then. Their lists of files
 * are read anew, so this is also what to call when files have come.
 */
export function loadNodeTypes(): Promise<void> {
  cutShort();
  loading ??= load().finally(() => (loading = null));
  return loading;
}

async function load(): Promise<void> {
  for (;;) {
    const failure = await once();
    if (failure === null) return;
    await pause(waitAfter(failure));
  }
}

async function once(): Promise<Failure | null> {
  try {
    const answer: Value = await objectInfo();
    if (!sameValue(answer, told)) useNodeTypes.setState({ types: readObjectInfo(answer) });
    told = answer;
    useNodeTypes.setState({ status: "ready", message: "" });
    return null;
  } catch (error) {
    const failure = asFailure(error);
    if (nodeTypes().size === 0) useNodeTypes.setState(words(failure));
    return failure;
  }
}

/** A server that starts says so with 503; one that cannot be reached may start. */
function words(failure: Failure): Pick<NodeTypesState, "status" | "message"> {
  if (failure.kind === "notReady") return { status: "waiting", message: failure.message };
  if (failure.kind === "offline") return { status: "waiting", message: t("running.offline") };
  return { status: "failed", message: failure.message || t("running.failed") };
}

/** Milliseconds until it is asked again. */
function waitAfter(failure: Failure): number {
  if (failure.retryAfter !== null) return Math.min(10, Math.max(0.5, failure.retryAfter)) * 1000;
  return failure.kind === "offline" ? 2000 : 10_000;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    cutShort = () => (clearTimeout(timer), resolve());
  });
}
