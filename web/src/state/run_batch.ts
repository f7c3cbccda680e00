/**
 * One press of Run: a workflow queued once or many times, each time with its seeds taken on. Built while it is sent, in
 * the order in which it shall run, and resumed where it stopped: what was sent is sent again as the same job.
 */

import { queuePrompt, submissionBody } from "@/api/client";
import { asFailure, type Failure } from "@/api/failure";
import type { PromptAnswer } from "@/api/wire";
import { write } from "@/format/editor_file";
import { ancestors, convert } from "@/format/prompt";
import { settleTexts } from "@/format/texts";
import type { Document } from "@/graph/document";
import { afterRun } from "@/graph/edits/advance_controls";
import type { NodeTypes } from "@/graph/node_type";
import type { Reason } from "@/graph/reason";
import type { JsonObject } from "@/graph/value";

interface BatchOptions {
  readonly document: Document;
  readonly types: NodeTypes;
  readonly clientId: string;
  readonly times: number;
  readonly targets: readonly string[] | null;
  readonly front: boolean;
  /** Nothing more is sent after it was aborted; what is on its way comes to its end. */
  readonly signal: AbortSignal;
  /** Called before a job is sent, as its messages may come before the answer. */
  readonly onMade: (job: MadeJob) => void;
}

interface MadeJob {
  readonly id: string;
  /** The nodes that it may run. */
  readonly nodes: readonly string[];
}

type BatchResult =
  | { readonly kind: "sent" }
  | { readonly kind: "stopped" }
  | { readonly kind: "unconvertible"; readonly reason: Reason }
  | { readonly kind: "failed"; readonly failure: Failure };

/** Requests at a time: browsers open six connections to a server. */
const TOGETHER = 5;
/** Milliseconds before a request that was not answered is sent again. */
const WAITS = [300, 900, 2700];

export class Batch {
  /** The document before each job, and after the last one made. */
  readonly documents: Document[];
  /** The first answer: its problems are those of all. */
  answer: PromptAnswer | null = null;
  /** Those that the server took, by their places; where some were not taken there are holes. */
  private readonly accepted = new Set<number>();
  /** Made, but not yet answered. */
  private readonly bodies = new Map<number, string>();

  constructor(private readonly options: BatchOptions) {
    this.documents = [options.document];
  }

  get times(): number {
    return this.options.times;
  }

  get sent(): number {
    return this.accepted.size;
  }

  /** The document as it is after the last job that was taken, so that no seed is used twice. */
  get after(): Document {
    return this.documents[Math.max(-1, ...this.accepted) + 1] ?? this.options.document;
  }

  /** The document as the last job that was taken has it. */
  get lastSent(): Document {
    return this.documents[Math.max(0, ...this.accepted)] ?? this.options.document;
  }

  /** Sends what was not taken yet. The first job alone: it says whether the others can be, and their place. */
  async send(): Promise<BatchResult> {
    if (this.answer === null) {
      const result = await this.sendOne(0);
      if (result.kind !== "sent") return result;
    }
    let next = 1;
    let ended: BatchResult | null = null;
    const work = async (): Promise<void> => {
      while (next < this.options.times && ended === null) {
        const index = next++;
        if (this.accepted.has(index)) continue;
        const result = await this.sendOne(index);
        if (result.kind !== "sent") ended = result;
      }
    };
    await Promise.all(Array.from({ length: TOGETHER }, work));
    return ended ?? { kind: "sent" };
  }

  private async sendOne(index: number): Promise<BatchResult> {
    const { signal } = this.options;
    if (signal.aborted) return { kind: "stopped" };
    const body = this.bodies.get(index) ?? this.make(index);
    if (typeof body !== "string") return { kind: "unconvertible", reason: body };
    this.bodies.set(index, body);
    try {
      const answer = await queueSurely(body, signal);
      this.bodies.delete(index);
      this.accepted.add(index);
      if (index === 0) this.answer = answer;
      return { kind: "sent" };
    } catch (error) {
      return signal.aborted ? { kind: "stopped" } : { kind: "failed", failure: asFailure(error) };
    }
  }

  private make(index: number): string | Reason {
    const { types, clientId, times, targets, front, onMade } = this.options;
    const workflow = write(settleTexts(this.documentFor(index), types), types);
    const made = convert(workflow, types, targets === null ? { prune: true } : { targets });
    if (!made.ok) return made.reason;
    const { prompt } = made.value;
    const id = crypto.randomUUID();
    onMade({ id, nodes: nodesRun(prompt, types, targets) });
    const first = this.answer?.number ?? null;
    // One after the other, and all before what is queued after the first: a fraction of its place for each.
    const number = index === 0 || first === null ? null : first + index / times;
    return submissionBody({ prompt, promptId: id, clientId, workflow, targets, number, front: front && index === 0 });
  }

  private documentFor(index: number): Document {
    while (this.documents.length <= index + 1) {
      const last = this.documents.at(-1) ?? this.options.document;
      this.documents.push(afterRun(last, this.options.types));
    }
    return this.documents[index] ?? this.options.document;
  }
}

/** Sends a job until there is an answer. One that was lost does no harm: the same request means the same job. */
async function queueSurely(body: string, signal: AbortSignal): Promise<PromptAnswer> {
  for (const wait of WAITS) {
    try {
      return await queuePrompt(body);
    } catch (error) {
      if (asFailure(error).kind !== "offline" || signal.aborted) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  return queuePrompt(body);
}

/** The nodes of a prompt that run: what the targets need, or all output nodes. */
function nodesRun(prompt: JsonObject, types: NodeTypes, targets: readonly string[] | null): string[] {
  const outputs = Object.entries(prompt).flatMap(([id, node]) => (isOutput(node, types) ? [id] : []));
  const needed = ancestors(prompt, targets ?? outputs);
  return Object.keys(prompt).filter((id) => needed.has(id));
}

function isOutput(node: JsonObject[string] | undefined, types: NodeTypes): boolean {
  const type = (node as JsonObject | undefined)?.["class_type"];
  return typeof type === "string" && types.get(type)?.isOutput === true;
}
