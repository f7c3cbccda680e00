/**
 * Feeds events to `useRun`, once per frame: messages come far more often than the screen is drawn. Pictures in the
 * making become addresses here, and are let go when nothing shows them any more.
 */

import { useRun } from "./run";
import { afterEvents, NO_RUNS, type RunEvent, type Runs } from "./run_events";

/** Longest wait for a frame: pages that are hidden draw none. */
const SLOWEST = 100;

/** How long a preview stays after it was replaced: the browser may be loading it still. */
const GRACE = 2000;

interface Preview {
  readonly job: string;
  readonly node: string;
  readonly picture: Blob;
}

let runs: Runs = NO_RUNS;
let waiting: RunEvent[] = [];
let isScheduled = false;
/** The newest of each node since the last frame; those between are never shown. */
const previews = new Map<string, Preview>();
/** The addresses in use, and which job's node shows each. */
const addresses = new Map<string, { readonly job: string; readonly node: string }>();

export function feed(event: RunEvent): void {
  waiting.push(event);
  schedule();
}

export function feedPreview(preview: Preview): void {
  previews.set(`${preview.job} ${preview.node}`, preview);
  schedule();
}

/** Applies what was fed since the last frame. */
function flush(): void {
  isScheduled = false;
  if (waiting.length === 0 && previews.size === 0) return;
  const before = runs;
  runs = afterEvents(runs, [...waiting, ...[...previews.values()].map(addressed)]);
  waiting = [];
  previews.clear();
  if (runs.documents !== before.documents) {
    useRun.setState({ nodes: new Map([...runs.documents].map(([id, { nodes }]) => [id, nodes])) });
  }
  letGo();
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  let isDue = true;
  const once = () => {
    if (isDue) flush();
    isDue = false;
  };
  if (typeof requestAnimationFrame === "function") requestAnimationFrame(once);
  setTimeout(once, SLOWEST);
}

function addressed({ job, node, picture }: Preview): RunEvent {
  const url = URL.createObjectURL(picture);
  addresses.set(url, { job, node });
  return { type: "preview", job, node, url };
}

/** Revokes the addresses that no node shows any more. */
function letGo(): void {
  for (const [url, { job, node }] of addresses) {
    const documentId = runs.jobs.get(job)?.documentId ?? "";
    if (runs.documents.get(documentId)?.nodes.get(node)?.preview === url) continue;
    addresses.delete(url);
    setTimeout(() => URL.revokeObjectURL(url), GRACE);
  }
}
