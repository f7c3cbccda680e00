/**
 * Any file a workflow is kept in becomes a document: editor or API JSON, bare or wrapped as programs send and store it,
 * or a picture that carries one. Never throws: what else comes is refused with a reason in words.
 */

import type { NodeTypes } from "@/graph/node_type";
import { done, type Outcome, type Reason, reason, refused } from "@/graph/reason";
import { isObject, type JsonObject, type Value } from "@/graph/value";

import { readApi } from "./api_file";
import { read, type ReadFile } from "./editor_file";
import { isEditorFile } from "./file_graph";
import { parse, parseBytes } from "./json";
import { isPicture, textsIn } from "./pictures";

/** What a workflow was found as. */
type FileKind = "editor" | "api";

interface OpenedFile extends ReadFile {
  readonly kind: FileKind;
}

const MOST_WRAPPINGS = 4;
const WRAPPERS = ["prompt", "output", "input", "workflow"];

export function open(content: Uint8Array | string, name: string, types: NodeTypes): Outcome<OpenedFile> {
  if (typeof content === "string") return opened(parsed(parse(content), content, name), name, types);
  if (isPicture(content)) return openPicture(content, name, types);
  const isText = !content.subarray(0, 512).includes(0);
  if (!isText) return refused(reason("reason.file_of_no_kind", { name }));
  return opened(parsed(parseBytes(content), new TextDecoder().decode(content.subarray(0, 512)), name), name, types);
}

/** Where a line of a text is wrong helps only those who mean to open JSON. */
function parsed(json: Outcome<Value>, beginning: string, name: string): Outcome<Value> {
  const isMeant = json.ok || !UNFIT.has(json.reason.code) || /^[{[]/.test(beginning.trimStart());
  return isMeant ? json : refused(reason("reason.file_of_no_kind", { name }));
}

const UNFIT: ReadonlySet<string> = new Set(["reason.file_not_json", "reason.file_not_text"]);

/** The graph as it was drawn, else the prompt as it ran; what could not be used of the first is said in the notes. */
function openPicture(bytes: Uint8Array, name: string, types: NodeTypes): Outcome<OpenedFile> {
  const texts = textsIn(bytes);
  const failures: Reason[] = [];
  for (const text of [texts.workflow, texts.prompt]) {
    if (text === undefined) continue;
    const found = opened(parse(text), name, types);
    if (found.ok) return done({ ...found.value, notes: [...failures, ...found.value.notes] });
    failures.push(found.reason);
  }
  return refused(failures[0] ?? reason("reason.file_picture_without_workflow", { name }));
}

function opened(json: Outcome<Value>, name: string, types: NodeTypes): Outcome<OpenedFile> {
  if (!json.ok) return json;
  const graph = unwrapped(json.value);
  if (isEditorFile(graph)) {
    const found = read(graph, types);
    return found.ok ? done({ ...found.value, kind: "editor" }) : found;
  }
  if (isPrompt(graph)) {
    const found = readApi(graph, types);
    return found.ok ? done({ ...found.value, kind: "api" }) : found;
  }
  return refused(reason("reason.file_no_workflow", { name, found: shown(graph) }));
}

/** The graph inside the wrappings it is sent and stored in; the editor's own where one lies beside a prompt. */
function unwrapped(source: Value): Value {
  let graph = source;
  for (let n = 0; n < MOST_WRAPPINGS; n++) {
    if (!isObject(graph) || isEditorFile(graph) || isPrompt(graph)) return graph;
    const sent = sentAlong(graph);
    if (sent !== null) return sent;
    const holder: JsonObject = graph;
    const inner = WRAPPERS.map((key) => holder[key]).find((each) => isObject(each) && Object.keys(each).length > 0);
    if (inner === undefined) return graph;
    graph = inner;
  }
  return graph;
}

/** The editor's graph that lies beside a prompt: in a request to the server, or in what a picture carried. */
function sentAlong(source: JsonObject): JsonObject | null {
  if (isEditorFile(source["workflow"])) return source["workflow"];
  let found: Value | undefined = source;
  for (const key of ["extra_data", "extra_pnginfo", "workflow"]) found = isObject(found) ? found[key] : undefined;
  return isEditorFile(found) ? found : null;
}

function isPrompt(source: Value): source is JsonObject {
  return isObject(source) && Object.values(source).some((each) => isObject(each) && "class_type" in each);
}

/** What JSON is instead of a workflow, as it looks. */
function shown(value: Value): string {
  if (Array.isArray(value)) return "[ … ]";
  if (!isObject(value)) return String(value).slice(0, 40);
  const keys = Object.keys(value);
  return `{ ${keys.slice(0, 5).join(", ").slice(0, 60)}${keys.length > 5 ? ", …" : ""} }`;
}
