/**
 * The prompt a workflow stands for, in API JSON: what is drawn becomes what runs.
 *
 * Notes, reroutes, primitives and sub-graph boxes are drawn only; muted and bypassed nodes do not run. What is left is
 * emitted with its widgets' values by name and its wires traced to nodes that run. A document is converted as the file
 * it is written as, by the same rules as the server's (engine/graph/editor_format.py), so that pressing Run and sending
 * the saved file are the same.
 */

import { BYPASSED, type Document, MUTED } from "@/graph/document";
import type { NodeTypes } from "@/graph/node_type";
import { type Outcome, type Reason, reason } from "@/graph/reason";
import { isObject, type JsonObject, type Value } from "@/graph/value";

import { write } from "./editor_file";
import { type FileNode, readFile } from "./file_graph";
import { MAX_NODES, type Origin, type Scope, Tracer } from "./file_links";
import { widgetValues } from "./file_widgets";
import { attempt, refuse } from "./refusal";

interface PromptOptions {
  /** Keep only what these nodes need, by their ids in the prompt ("57:8" for node 8 inside instance 57). */
  readonly targets?: readonly string[];
  /** Keep only what output nodes need. */
  readonly prune?: boolean;
}

interface MadePrompt {
  readonly prompt: JsonObject;
  readonly notes: readonly Reason[];
}

export function toPrompt(document: Document, types: NodeTypes, options: PromptOptions = {}): Outcome<MadePrompt> {
  return convert(write(document, types), types, options);
}

/** The prompt that a file of the editor stands for. */
export function convert(file: JsonObject, types: NodeTypes, options: PromptOptions = {}): Outcome<MadePrompt> {
  return attempt(() => converted(file, types, options));
}

interface Entry {
  readonly node: FileNode;
  readonly values: JsonObject;
  readonly wired: readonly (readonly [string, Origin])[];
  readonly title: string;
}

function converted(file: JsonObject, types: NodeTypes, options: PromptOptions): MadePrompt {
  const tracer = new Tracer(readFile(file), (type) => types.get(type));
  const entries = new Map<string, Entry>();
  const notes: Reason[] = [];
  for (const { scope, node } of running(tracer)) {
    if (entries.size >= MAX_NODES) refuse("reason.file_too_many_nodes", { limit: MAX_NODES });
    const [id, type] = [scope.prefix + node.id, types.get(node.type)];
    const widgets = widgetValues(node, type);
    if (type === undefined) notes.push(unknown(id, node, widgets.isKnown));
    const title = node.title || type?.displayName || node.type;
    entries.set(id, { node, values: widgets.values, wired: wiresInto(tracer, scope, node), title });
  }
  const prompt = Object.fromEntries([...entries].map(([id, entry]) => [id, apiNode(entry, entries)]));
  const outputs = options.prune === true ? [...entries].filter(([, { node }]) => types.get(node.type)?.isOutput) : [];
  const wanted = options.targets ?? outputs.map(([id]) => id);
  if (wanted.length === 0) return { prompt, notes };
  const kept = ancestors(prompt, wanted);
  return { prompt: Object.fromEntries(Object.entries(prompt).filter(([id]) => kept.has(id))), notes };
}

/** The ids of these nodes and of every node they need, directly or not. */
export function ancestors(prompt: JsonObject, targets: readonly string[]): Set<string> {
  const waiting = [...targets];
  const found = new Set<string>();
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const entry = Object.hasOwn(prompt, id) ? prompt[id] : undefined;
    if (!isObject(entry) || found.has(id)) continue;
    found.add(id);
    const inputs = entry["inputs"];
    for (const value of isObject(inputs) ? Object.values(inputs) : []) {
      const [origin] = Array.isArray(value) && value.length === 2 ? (value as readonly Value[]) : [];
      if (typeof origin === "string") waiting.push(origin);
    }
  }
  return found;
}

/** Every node that runs, with the scope it stands in; the inner ones where their sub-graph's box is. */
function* running(tracer: Tracer): Generator<{ scope: Scope; node: FileNode }> {
  const waiting = [{ scope: tracer.root, nodes: tracer.root.graph.nodes.values() }];
  for (let last = waiting.at(-1); last !== undefined; last = waiting.at(-1)) {
    const { scope, nodes } = last;
    const next = nodes.next();
    if (next.done === true) {
      waiting.pop();
      continue;
    }
    const node = next.value;
    if (node.mode === MUTED || node.mode === BYPASSED || tracer.isVirtual(node)) continue;
    const inside = tracer.inside(scope, node);
    if (inside === null) yield { scope, node };
    else waiting.push({ scope: inside, nodes: inside.graph.nodes.values() });
  }
}

function wiresInto(tracer: Tracer, scope: Scope, node: FileNode): (readonly [string, Origin])[] {
  const found: (readonly [string, Origin])[] = [];
  for (const slot of node.inputs) {
    if (slot.link === null || slot.name === "") continue;
    const origin = tracer.trace(scope, node, slot);
    if (origin !== null) found.push([slot.name, origin]);
  }
  return found;
}

/** A node in API JSON, without the inputs that refer to nodes that do not run. */
function apiNode({ node, values, wired, title }: Entry, entries: ReadonlyMap<string, Entry>): JsonObject {
  const inputs = new Map<string, Value>(Object.entries(values));
  for (const [name, origin] of wired) {
    if (origin.kind === "literal") inputs.set(name, origin.value);
    else if (entries.has(origin.node)) inputs.set(name, [origin.node, origin.slot]);
    else inputs.delete(name);
  }
  return { class_type: node.type, inputs: Object.fromEntries(inputs), _meta: { title } };
}

function unknown(id: string, node: FileNode, isKnown: boolean): Reason {
  const words = { node: id, type: node.type };
  if (isKnown) return reason("reason.file_unknown_type", words);
  return reason("reason.file_values_without_names", { ...words, count: node.values?.length ?? 0 });
}
