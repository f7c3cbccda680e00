/**
 * What is sent to the server and what it answers. Made from server/protocol by `python -m server.typescript`; do not edit.
 *
 * Whole numbers inside prompts and workflows may be larger than a double can hold (seeds have 64 bits): read and write
 * those with `format/json`. All other numbers are exact as doubles.
 */

/** A node of a prompt. An input is a value or a link [node id, output]; whole numbers have up to 64 bits. */
export interface ApiNode {
  readonly class_type: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly _meta?: Readonly<Record<string, unknown>>;
}

/** What is written into the pictures that a job draws. */
export interface PictureInfo {
  readonly workflow?: Readonly<Record<string, unknown>>;
}

/** What is kept with a job. The server adds client_id and create_time (milliseconds since 1970) when it tells it. */
export interface ExtraData {
  readonly extra_pnginfo?: PictureInfo;
  readonly client_id?: string;
  readonly create_time?: number;
}

/** The body of POST /prompt. number: lower runs first; partial_execution_targets: only these output nodes. */
export interface PromptRequest {
  readonly prompt: Readonly<Record<string, ApiNode>>;
  readonly client_id?: string;
  readonly prompt_id?: string;
  readonly number?: number;
  readonly front?: boolean;
  readonly extra_data?: ExtraData;
  readonly partial_execution_targets?: readonly string[];
}

/** One thing that is wrong. extra_info: `input_name` where it is about an input, `remedy` what to do about it. */
export interface PromptProblem {
  readonly type: string;
  readonly message: string;
  readonly details: string;
  readonly extra_info: Readonly<Record<string, unknown>>;
}

/** What is wrong with a node, and which output nodes it keeps from running. */
export interface NodeProblems {
  readonly errors: readonly PromptProblem[];
  readonly dependent_outputs: readonly string[];
  readonly class_type: string;
}

/**
 * The answer of POST /prompt with 200; node_errors are of outputs that were left out.
 *
 * prompt, notes: what a workflow or a picture became, and what to know about that.
 */
export interface PromptAnswer {
  readonly prompt_id: string;
  readonly number: number;
  readonly node_errors: Readonly<Record<string, NodeProblems>>;
  readonly prompt?: Readonly<Record<string, unknown>>;
  readonly notes?: readonly string[];
}

/** The answer of POST /prompt with any other status. */
export interface PromptRefusal {
  readonly error: PromptProblem;
  readonly node_errors: Readonly<Record<string, NodeProblems>>;
}

/** How many jobs wait or run. */
export interface QueueCount {
  readonly queue_remaining: number;
}

/** The answer of GET /prompt. */
export interface QueueInfo {
  readonly exec_info: QueueCount;
}

/** How many jobs wait or run, for everybody; the first one names the client. */
export interface StatusMessage {
  readonly status: QueueInfo;
  readonly sid?: string;
}

/** What the server can do: GET /features, and the answer to a client's feature_flags. */
export interface Features {
  readonly supports_preview_metadata: boolean;
  readonly supports_progress_text_metadata: boolean;
  readonly supports_event_numbers: boolean;
  readonly node_replacements: boolean;
  readonly max_upload_size: number;
}

/** A job begins, perhaps again; or all its outputs are there. */
export interface ExecutionMark {
  readonly prompt_id: string;
  readonly timestamp: number;
}

/** The nodes of the prompt that need not be run again. */
export interface ExecutionCached extends ExecutionMark {
  readonly nodes: readonly string[];
}

/**
 * A node begins. node null: the job has ended, the last message about it.
 *
 * display_node: the node on the screen. After connecting, the first one has only `node`.
 */
export interface Executing {
  readonly node: string | null;
  readonly display_node?: string;
  readonly prompt_id?: string;
}

/** How far a node is. */
export interface NodeProgress {
  readonly node: string;
  readonly value: number;
  readonly max: number;
  readonly prompt_id: string;
}

/** Which node it is. real_node_id: the node of the prompt that it is a part of; display_node_id: where it shows. */
export interface NodeIds {
  readonly node_id: string;
  readonly prompt_id: string;
  readonly display_node_id: string;
  readonly parent_node_id: string | null;
  readonly real_node_id: string;
}

/** How far a node that has begun is. */
export interface NodeState extends NodeIds {
  readonly value: number;
  readonly max: number;
  readonly state: "running" | "finished" | "error";
}

/** Every node of a job that has begun. */
export interface ProgressState {
  readonly prompt_id: string;
  readonly nodes: Readonly<Record<string, NodeState>>;
}

/** What a node shows. */
export interface Executed {
  readonly node: string;
  readonly display_node: string;
  readonly output: Readonly<Record<string, unknown>> | null;
  readonly prompt_id: string;
}

/** Where a run ended. inner_node_id, inner_node_type: the part of the node, where it has parts. */
export interface ExecutionPlace {
  readonly prompt_id: string;
  readonly node_id: string | null;
  readonly node_type: string;
  readonly executed: readonly string[];
  readonly inner_node_id?: string;
  readonly inner_node_type?: string;
}

/** Why a node failed. */
export interface ExecutionFailure extends ExecutionPlace {
  readonly exception_message: string;
  readonly exception_type: string;
  readonly traceback: readonly string[];
  readonly current_inputs: Readonly<Record<string, unknown>>;
  readonly current_outputs: readonly string[];
}

/**
 * A node failed, or was blocked (then without timestamp, and the run goes on).
 *
 * cause: why no node is to blame, in one word; docs/server.md lists them.
 */
export interface ExecutionError extends ExecutionFailure {
  readonly cause?: string;
  readonly timestamp?: number;
}

/** Somebody stopped the job. */
export interface ExecutionInterrupted extends ExecutionPlace {
  readonly timestamp: number;
}

/** What stands before a picture in binary frame 4. */
export interface PreviewMeta extends NodeIds {
  readonly image_type: string;
}

/** The data of each type of message. */
export interface Messages {
  readonly status: StatusMessage;
  readonly feature_flags: Features;
  readonly execution_start: ExecutionMark;
  readonly execution_cached: ExecutionCached;
  readonly executing: Executing;
  readonly progress: NodeProgress;
  readonly progress_state: ProgressState;
  readonly executed: Executed;
  readonly execution_success: ExecutionMark;
  readonly execution_error: ExecutionError;
  readonly execution_interrupted: ExecutionInterrupted;
  readonly logs: LogsMessage;
}

export type JobStatus = "pending" | "in_progress" | "completed" | "failed" | "cancelled";

/** [number, id, prompt, extra_data, output nodes]. */
export type QueueItem = readonly [number, string, Readonly<Record<string, unknown>>, ExtraData, readonly string[]];

/** The answer of GET /queue. */
export interface Queue {
  readonly queue_running: readonly QueueItem[];
  readonly queue_pending: readonly QueueItem[];
}

/** The body of POST /queue and POST /history: all, or these. */
export interface QueueChange {
  readonly clear?: boolean;
  readonly delete?: readonly string[];
}

/** The body of POST /interrupt; without prompt_id: whatever runs. */
export interface InterruptRequest {
  readonly prompt_id?: string;
}

/** The body of POST /free. */
export interface FreeRequest {
  readonly unload_models?: boolean;
  readonly free_memory?: boolean;
}

/** How long a node took. Units: seconds its duration. */
export interface Timing {
  readonly node: string;
  readonly display_node: string;
  readonly class_type: string;
  readonly start: number;
  readonly seconds: number;
}

/** How a job ended. messages: (type, data) of execution_start, execution_cached and the end. */
export interface JobEnd {
  readonly status_str: "success" | "error";
  readonly completed: boolean;
  readonly messages: readonly (readonly [string, Readonly<Record<string, unknown>>])[];
  readonly cause: string | null;
  readonly timings: readonly Timing[];
}

/** Which node it is that showed something. */
export interface OutputMeta {
  readonly node_id: string;
  readonly display_node: string;
  readonly parent_node: string | null;
  readonly real_node_id: string;
}

/** A job that has ended, in /history; outputs and meta are by node. */
export interface HistoryEntry {
  readonly prompt: QueueItem;
  readonly outputs: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly meta: Readonly<Record<string, OutputMeta>>;
  readonly status: JobEnd;
}

/** The one output that stands for a job: a file (as /view finds it, with what else its node told) or a text. */
export interface JobPreview {
  readonly nodeId: string;
  readonly mediaType: string;
  readonly filename?: string;
  readonly subfolder?: string;
  readonly type?: string;
  readonly content?: string;
}

/** A job in a list of /api/jobs. */
export interface Job {
  readonly id: string;
  readonly status: JobStatus;
  readonly priority: number;
  readonly create_time: number;
  readonly execution_start_time?: number;
  readonly execution_end_time?: number;
  readonly execution_error?: ExecutionError;
  readonly cause?: string;
  readonly outputs_count: number;
  readonly previewable_outputs_count: number;
  readonly preview_output?: JobPreview;
  readonly workflow_id?: string;
}

/** What a job was made from. */
export interface JobWorkflow {
  readonly prompt: Readonly<Record<string, unknown>>;
  readonly extra_data: ExtraData;
}

/** GET /api/jobs/{id} of a job that waits or runs. */
export interface RunningJob extends Job {
  readonly outputs: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly workflow: JobWorkflow;
}

/** The same of one that has ended. */
export interface EndedJob extends RunningJob {
  readonly execution_status: JobEnd;
}

/** The answer of GET /api/jobs/{id}. */
export type JobDetail = RunningJob | EndedJob;

/** Which part of a list it is. */
export interface Pagination {
  readonly offset: number;
  readonly limit: number;
  readonly total: number;
  readonly has_more: boolean;
}

/** The answer of GET /api/jobs. */
export interface JobPage {
  readonly jobs: readonly Job[];
  readonly pagination: Pagination;
}

/** The body of POST /api/jobs/{id}/move: the waiting job to run before, or null for the end of the queue. */
export interface JobMove {
  readonly before: string | null;
}

/** The answer to it; lower priorities run first. */
export interface JobMoved {
  readonly priority: number;
}

/** The answer of POST /api/jobs/{id}/cancel; false when there was nothing left to cancel. */
export interface JobsCancelled {
  readonly cancelled: boolean;
}

/** [type, options]; a combo is [[choice, …], options]; the options may be missing. */
export type InputConfig = readonly unknown[];

/** The inputs of a node type by name. */
export interface NodeInputs {
  readonly required: Readonly<Record<string, InputConfig>>;
  readonly optional?: Readonly<Record<string, InputConfig>>;
  readonly hidden?: Readonly<Record<string, unknown>>;
}

/** The names of the inputs in their order. */
export interface InputOrder {
  readonly required: readonly string[];
  readonly optional?: readonly string[];
  readonly hidden?: readonly string[];
}

/** A node type in /object_info. Entries that other programs made lack what is optional here. */
export interface NodeTypeEntry {
  readonly input: NodeInputs;
  readonly input_order?: InputOrder;
  readonly is_input_list?: boolean;
  readonly output: readonly string[];
  readonly output_is_list: readonly boolean[];
  readonly output_name: readonly string[];
  readonly output_tooltips?: readonly (string | null)[];
  readonly name: string;
  readonly display_name: string;
  readonly description: string;
  readonly python_module: string;
  readonly category: string;
  readonly output_node: boolean;
  readonly deprecated?: boolean;
  readonly experimental?: boolean;
  readonly api_node?: boolean;
  readonly search_aliases?: readonly string[];
}

/** The answer of GET /object_info. */
export type ObjectInfo = Readonly<Record<string, NodeTypeEntry>>;

/** Where a shared sub-graph comes from: the plugin as python_module names it. */
export interface SubgraphInfo {
  readonly node_pack: string;
}

/** A sub-graph in GET /global_subgraphs. data: the graph as a text of JSON, when it is asked for by its id. */
export interface SharedSubgraph {
  readonly source: string;
  readonly name: string;
  readonly info: SubgraphInfo;
  readonly data?: string;
}

export type PluginState = "loaded" | "failed" | "skipped" | "disabled" | "crashed";

/**
 * A plugin. error: one line, "" without one; problems: lines about single nodes; nodes: the ids it gave;
 * named: the ids that its files name, where it could not be imported; web: the folders behind its names below
 * /extensions; version: as it says itself, or "". Units: seconds.
 */
export interface Plugin {
  readonly name: string;
  readonly path: string;
  readonly state: PluginState;
  readonly error: string;
  readonly traceback: string;
  readonly seconds: number;
  readonly nodes: readonly string[];
  readonly problems: readonly string[];
  readonly named: readonly string[];
  readonly web: Readonly<Record<string, string>>;
  readonly version: string;
}

/** The body of POST /api/plugins/reload; without a name: those whose files have changed, and those that failed. */
export interface PluginReload {
  readonly name?: string;
}

/** The answer. reloaded: what was imported again; done: false while a worker has yet to do it, after its job. */
export interface PluginsReloaded {
  readonly done: boolean;
  readonly reloaded: readonly string[];
  readonly plugins: readonly Plugin[];
}

export type FolderType = "output" | "input" | "temp";

/** A file as /view finds it. */
export interface FileName {
  readonly filename: string;
  readonly subfolder: string;
  readonly type: FolderType;
}

/** The answer of POST /upload/image and /upload/mask. */
export interface Uploaded {
  readonly name: string;
  readonly subfolder: string;
  readonly type: string;
}

/**
 * A picture in GET /api/pictures. Units: modified is milliseconds since 1970.
 *
 * width, height: null where the file cannot be read.
 */
export interface DrawnPicture extends FileName {
  readonly size: number;
  readonly modified: number;
  readonly width: number | null;
  readonly height: number | null;
}

/** The answer of GET /api/pictures, the newest first. next: the cursor of the page after it, null at the end. */
export interface PicturePage {
  readonly pictures: readonly DrawnPicture[];
  readonly next: string | null;
}

/** A file of /userdata with full_info. Units: modified and created are milliseconds since 1970. */
export interface UserFile {
  readonly path: string;
  readonly size: number;
  readonly modified: number;
  readonly created: number;
}

/** A file or a folder in GET /v2/userdata. Units: modified is milliseconds since 1970. */
export interface UserEntry {
  readonly name: string;
  readonly path: string;
  readonly type: "file" | "directory";
  readonly size?: number;
  readonly modified?: number;
}

/** A workflow that ships. path: where it is to be had, below /api. needs: files of one's own, below models/. */
export interface Template {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly path: string;
  readonly needs: readonly string[];
}

/** The body of an answer with a status from 400 on; only POST /prompt has a richer one. */
export interface Failure {
  readonly error: string;
}

/** The answer of GET /users where the files of one person are kept. migrated: whether there are any yet. */
export interface OneUser {
  readonly storage: "server";
  readonly migrated: boolean;
}

/** The same with --multi-user: names by the id that the header comfy-user takes. */
export interface ManyUsers {
  readonly storage: "server";
  readonly users: Readonly<Record<string, string>>;
}

/** A kind of model in GET /experiment/models. */
export interface ModelFolder {
  readonly name: string;
  readonly folders: readonly string[];
}

/**
 * A file in GET /experiment/models/{folder}. Units: modified and created are seconds since 1970.
 *
 * pathIndex: which of the kind's folders it is in.
 */
export interface ModelFile {
  readonly name: string;
  readonly pathIndex: number;
  readonly modified: number;
  readonly created: number;
  readonly size: number;
}

/** The computer and its programs. */
export interface ComputerInfo {
  readonly os: string;
  readonly ram_total: number;
  readonly ram_free: number;
  readonly comfyui_version: string;
  readonly required_frontend_version: string;
  readonly installed_templates_version: string | null;
  readonly required_templates_version: string | null;
  readonly python_version: string;
  readonly pytorch_version: string;
  readonly embedded_python: boolean;
  readonly argv: readonly string[];
}

/** What a worker draws on. */
export interface DeviceInfo {
  readonly name: string;
  readonly type: string;
  readonly index: number | null;
  readonly vram_total: number;
  readonly vram_free: number;
  readonly torch_vram_total: number;
  readonly torch_vram_free: number;
}

/** A worker. job: what it runs; message: why it does not, in words. */
export interface WorkerInfo {
  readonly name: string;
  readonly state: string;
  readonly pid: number | null;
  readonly job: string | null;
  readonly memory: number;
  readonly restarts: number;
  readonly message: string;
}

/** What else there is to know of this server. */
export interface ServerInfo {
  readonly version: string;
  readonly workers: readonly WorkerInfo[];
  readonly queue_remaining: number;
}

/** The answer of GET /system_stats. */
export interface SystemStats {
  readonly system: ComputerInfo;
  readonly devices: readonly DeviceInfo[];
  readonly latentwire: ServerInfo;
}

/** A line of the log. t: when, in ISO 8601 and UTC; m: the line, with its end. */
export interface LogEntry {
  readonly t: string;
  readonly m: string;
}

/** How large a terminal would be, in characters. */
export interface TerminalSize {
  readonly cols: number;
  readonly rows: number;
}

/** The answer of GET /internal/logs/raw, and the data of the message `logs`. */
export interface LogsMessage {
  readonly entries: readonly LogEntry[];
  readonly size: TerminalSize;
}

/** A text frame of the socket. Stored messages have a number, which rises over all jobs. */
export type Message = {
  readonly [Type in keyof Messages]: { readonly type: Type; readonly data: Messages[Type]; readonly id?: number };
}[keyof Messages];
