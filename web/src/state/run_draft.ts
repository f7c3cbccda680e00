/**
 * What is known of runs, and changes of it that copy as little as they can: a map that changes is copied once for many
 * changes, and a node that stays the same keeps its entry, so that it is not drawn again.
 */

import { IDLE, type NodeRun } from "./run";
import { instancesAround, sumOf } from "./run_instances";
import { isSameOutput } from "./run_output";

export interface JobRun {
  /** The document it was made from. */
  readonly documentId: string | null;
  /** The nodes that it may run. */
  readonly nodes: readonly string[];
  /** The number of its last message. */
  readonly last: number;
  readonly state: "waiting" | "running" | "ended";
  /** When each node began, in milliseconds of this computer's clock. */
  readonly began: ReadonlyMap<string, number>;
}

/** What a document's nodes do or show. */
export interface DocumentRun {
  /** The job whose course is shown. */
  readonly job: string;
  /** By execution id; instances of sub-graphs have the sum of what is inside them. */
  readonly nodes: ReadonlyMap<string, NodeRun>;
  /** The nodes inside each instance. */
  readonly inside: ReadonlyMap<string, readonly string[]>;
}

export interface Runs {
  readonly jobs: ReadonlyMap<string, JobRun>;
  readonly documents: ReadonlyMap<string, DocumentRun>;
}

export const NO_RUNS: Runs = { jobs: new Map(), documents: new Map() };

/** Ended jobs that are remembered, so that what is told of them twice is known as such. */
const MOST_ENDED = 1000;

interface OpenDocument {
  job: string;
  readonly nodes: Map<string, NodeRun>;
  readonly inside: Map<string, string[]>;
  /** Instances whose sum is to be made anew. */
  readonly stale: Set<string>;
}

export class Draft {
  private readonly jobs: Map<string, JobRun>;
  private readonly documents: Map<string, DocumentRun>;
  private readonly open = new Map<DocumentRun, OpenDocument>();

  constructor(private readonly before: Runs) {
    this.jobs = new Map(before.jobs);
    this.documents = new Map(before.documents);
  }

  job(id: string): JobRun | null {
    return this.jobs.get(id) ?? null;
  }

  setJob(id: string, job: JobRun): void {
    this.jobs.set(id, job);
  }

  setBegan(id: string, node: string, at: number): void {
    const job = this.jobs.get(id);
    if (job !== undefined) this.jobs.set(id, { ...job, began: new Map(job.began).set(node, at) });
  }

  document(id: string): DocumentRun | null {
    const run = this.documents.get(id);
    return run === undefined ? null : this.opened(id, run);
  }

  /** The document's run, from now on showing this job's course. */
  show(id: string, job: string): DocumentRun {
    const run = this.opened(id, this.documents.get(id) ?? { job, nodes: new Map(), inside: new Map() });
    const open = this.open.get(run);
    if (open !== undefined) open.job = job;
    return run;
  }

  removeDocument(id: string): void {
    this.documents.delete(id);
  }

  /** Changes a node's entry. `run` must come from this draft. */
  setNode(run: DocumentRun, id: string, change: Partial<NodeRun>): void {
    const open = this.open.get(run);
    if (open === undefined || open.inside.has(id)) return; // an instance's entry is the sum of what is inside it
    const known = open.nodes.get(id);
    const before = known ?? IDLE;
    const after = changed(before, change);
    if (after === before && known !== undefined) return;
    open.nodes.set(id, after);
    for (const instance of instancesAround(id)) {
      open.stale.add(instance);
      if (known === undefined) open.inside.set(instance, [...(open.inside.get(instance) ?? []), id]);
    }
  }

  finish(): Runs {
    for (const open of this.open.values()) {
      for (const instance of open.stale) {
        const inside = (open.inside.get(instance) ?? []).map((each) => open.nodes.get(each) ?? IDLE);
        open.nodes.set(instance, changed(open.nodes.get(instance) ?? IDLE, sumOf(inside)));
      }
    }
    return { jobs: this.remembered(), documents: this.closed() };
  }

  /** A copy that may be changed until the draft is finished. */
  private opened(id: string, run: DocumentRun): DocumentRun {
    if (this.open.has(run)) return run;
    const inside = new Map([...run.inside].map(([instance, nodes]) => [instance, [...nodes]]));
    const open: OpenDocument = { job: run.job, nodes: new Map(run.nodes), inside, stale: new Set() };
    this.open.set(open, open);
    this.documents.set(id, open);
    return open;
  }

  private closed(): ReadonlyMap<string, DocumentRun> {
    const documents = new Map<string, DocumentRun>();
    for (const [id, run] of this.documents) {
      const before = this.before.documents.get(id);
      const isSame = before !== undefined && before.job === run.job && isSameMap(before.nodes, run.nodes);
      documents.set(id, isSame ? before : { job: run.job, nodes: run.nodes, inside: run.inside });
    }
    return isSameMap(documents, this.before.documents) ? this.before.documents : documents;
  }

  private remembered(): ReadonlyMap<string, JobRun> {
    let surplus = this.jobs.size - MOST_ENDED;
    for (const [id, job] of this.jobs) {
      if (surplus <= 0) break;
      if (job.state !== "ended") continue;
      this.jobs.delete(id);
      surplus -= 1;
    }
    return this.jobs;
  }
}

/** The entry with a change; the same one where nothing is different. */
function changed(before: NodeRun, change: Partial<NodeRun>): NodeRun {
  const after = { ...before, ...change };
  if (before.output !== null && after.output !== null && isSameOutput(before.output, after.output)) {
    after.output = before.output;
  }
  return (Object.keys(after) as (keyof NodeRun)[]).every((key) => after[key] === before[key]) ? before : after;
}

function isSameMap<T>(one: ReadonlyMap<string, T>, other: ReadonlyMap<string, T>): boolean {
  if (one.size !== other.size) return false;
  for (const [key, value] of one) if (other.get(key) !== value) return false;
  return true;
}
