/** Every route of the server that the editor uses, as a function. All throw a `Failure` but `ask`. */

import { type Json, stringify } from "@/json/exact";
import { load, route, send } from "./request";
import type {
  DrawnPicture,
  Features,
  FileName,
  HistoryEntry,
  JobDetail,
  JobPage,
  JobsCancelled,
  JobStatus,
  PicturePage,
  Plugin,
  PluginsReloaded,
  PromptAnswer,
  QueueInfo,
  SystemStats,
  Uploaded,
} from "./wire";

export { ask, setPlace } from "./request";

// ------------------------------------------------------------------------------------------------- nodes and the server

/** Every node type, as JSON that `graph/object_info` reads. The server waits for its first worker, up to 30 s. */
export function objectInfo(signal?: AbortSignal): Promise<Json> {
  return load("object_info", { timeout: 60_000, signal });
}

export async function systemStats(): Promise<SystemStats> {
  return (await load("system_stats")) as unknown as SystemStats;
}

export async function features(): Promise<Features> {
  return (await load("features")) as unknown as Features;
}

/** What became of each plugin. The server waits for its first worker, up to 30 s. */
export async function plugins(): Promise<readonly Plugin[]> {
  return (await load("plugins", { timeout: 60_000 })) as unknown as readonly Plugin[];
}

/** Has plugins imported again: one, or (null) those that have changed or failed. It waits for a job, up to a minute. */
export async function reloadPlugins(name: string | null): Promise<PluginsReloaded> {
  const json = name === null ? {} : { name };
  return (await load("plugins/reload", { method: "POST", json, timeout: 0 })) as unknown as PluginsReloaded;
}

/** What a plugin's route answers that offers choices. */
export function remoteChoices(path: string): Promise<Json> {
  return load(path);
}

// ------------------------------------------------------------------------------------------------------------- running

interface Submission {
  readonly prompt: Json;
  readonly promptId: string;
  readonly clientId: string;
  /** Kept in the pictures that it draws, so that they can be opened. */
  readonly workflow: Json;
  readonly targets: readonly string[] | null;
  readonly number: number | null;
  readonly front: boolean;
}

/** A submission as the bytes to send: the same bytes again are answered with the same job. */
export function submissionBody({ prompt, promptId, clientId, workflow, targets, number, front }: Submission): string {
  return stringify({
    prompt,
    client_id: clientId,
    prompt_id: promptId,
    extra_data: { extra_pnginfo: { workflow } },
    ...(targets === null ? {} : { partial_execution_targets: targets }),
    ...(number === null ? {} : { number }),
    ...(front ? { front } : {}),
  });
}

export async function queuePrompt(body: string, signal?: AbortSignal): Promise<PromptAnswer> {
  return (await load("prompt", { method: "POST", body, signal })) as unknown as PromptAnswer;
}

/** How many jobs wait or run. */
export async function remaining(timeout?: number): Promise<number> {
  const info = (await load("prompt", timeout === undefined ? {} : { timeout })) as unknown as QueueInfo;
  return info.exec_info.queue_remaining;
}

/** Stops what runs; with an id only that job, if it runs. */
export async function interrupt(id: string | null = null): Promise<void> {
  await send("interrupt", { method: "POST", json: id === null ? {} : { prompt_id: id } });
}

/** Takes jobs that wait or run away. Returns: whether there was anything to cancel. */
async function cancelJobs(ids: readonly string[]): Promise<boolean> {
  const answer = await load("jobs/cancel", { method: "POST", json: { job_ids: ids } });
  return (answer as unknown as JobsCancelled).cancelled;
}

export function cancelJob(id: string): Promise<boolean> {
  return cancelJobs([id]);
}

/** Puts a waiting job before another one; null: to the end. */
export async function moveJob(id: string, before: string | null): Promise<void> {
  await send(`jobs/${encodeURIComponent(id)}/move`, { method: "POST", json: { before } });
}

/** Takes out everything that waits. */
export async function clearQueue(): Promise<void> {
  await send("queue", { method: "POST", json: { clear: true } });
}

// ---------------------------------------------------------------------------------------------------------------- jobs

interface JobQuery {
  readonly statuses?: readonly JobStatus[];
  readonly workflowId?: string;
  /** By default by when they were sent; "priority" is the order in which they run. */
  readonly sortBy?: "created_at" | "execution_duration" | "priority";
  readonly order?: "asc" | "desc";
  readonly limit?: number;
  readonly offset?: number;
}

export async function jobs(query: JobQuery = {}, signal?: AbortSignal): Promise<JobPage> {
  const { statuses, workflowId, sortBy = "created_at", order = "desc", limit, offset } = query;
  const status = statuses?.join(",");
  const asked = { status, workflow_id: workflowId, sort_by: sortBy, sort_order: order, limit, offset };
  return (await load("jobs", { query: asked, signal })) as unknown as JobPage;
}

export async function job(id: string, signal?: AbortSignal): Promise<JobDetail> {
  return (await load(`jobs/${encodeURIComponent(id)}`, { signal })) as unknown as JobDetail;
}

/** Ended jobs by id, the oldest first. */
export async function history(max: number, offset?: number): Promise<Readonly<Record<string, HistoryEntry>>> {
  const answer = await load("history", { query: { max_items: max, offset } });
  return answer as unknown as Readonly<Record<string, HistoryEntry>>;
}

/** Removes ended jobs from the history; null: all. Saved pictures stay. */
export async function forget(ids: readonly string[] | null): Promise<void> {
  await send("history", { method: "POST", json: ids === null ? { clear: true } : { delete: ids } });
}

// ------------------------------------------------------------------------------------------------------------- pictures

/** Everything drawn, the newest first. `before`: the `next` of the page before. */
export async function pictures(limit: number, before: string | null = null): Promise<PicturePage> {
  return (await load("pictures", { query: { limit, before } })) as unknown as PicturePage;
}

interface ViewOptions {
  /** The longest side in pixels of a small version. */
  readonly size?: number;
  /** A small version, or one in another format, as "webp;80". */
  readonly preview?: string;
  /** "rgb" without its alpha, "a" only that. */
  readonly channel?: "rgb" | "a";
  /** Makes the address another when the file has changed. */
  readonly version?: string | number;
}

/** The address of a file of the output, input or temp folder. */
export function viewUrl(picture: FileName | DrawnPicture, options: ViewOptions = {}): string {
  const { filename, subfolder, type } = picture;
  const { size, channel, version } = options;
  const preview = options.preview ?? (size === undefined ? undefined : "webp;80");
  return route("view", { filename, subfolder: subfolder || null, type, preview, size, channel, v: version });
}

/** The address of what a template draws, small. */
export function templatePictureUrl(name: string): string {
  return route(`templates/${encodeURIComponent(name)}/picture`);
}

interface UploadOptions {
  readonly subfolder?: string;
  readonly type?: FileName["type"];
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal;
}

/** Puts a file into the input folder. Returns: where it is, perhaps under another name. */
export function uploadImage(file: Blob, name: string, options: UploadOptions = {}): Promise<Uploaded> {
  return upload("upload/image", form(file, name, options), options.signal);
}

/** Keeps a copy of a picture whose alpha is that of the upload. */
export function uploadMask(
  file: Blob,
  name: string,
  original: FileName,
  options: UploadOptions = {},
): Promise<Uploaded> {
  const { filename, subfolder, type } = original;
  const body = form(file, name, options);
  body.set("original_ref", JSON.stringify({ filename, subfolder, type }));
  return upload("upload/mask", body, options.signal);
}

async function upload(path: string, body: FormData, signal?: AbortSignal): Promise<Uploaded> {
  return (await load(path, { method: "POST", body, timeout: 0, signal })) as unknown as Uploaded;
}

function form(
  file: Blob,
  name: string,
  { subfolder = "", type = "input", overwrite = false }: UploadOptions,
): FormData {
  const body = new FormData();
  body.set("image", file, name);
  body.set("type", type);
  if (subfolder !== "") body.set("subfolder", subfolder);
  if (overwrite) body.set("overwrite", "true");
  return body;
}
