/**
 * What is done to texts at the moment a prompt is made: choices in prompts, words in file names.
 *
 * A saved workflow holds "{red|blue} hat" and "%date:yyyy-MM-dd%/hat"; what is sent, and what the picture carries,
 * holds one choice and today's date. The same as the server's engine/graph/editor_texts.py.
 */

import { type Document, type Graph, type Node, PRIMITIVE, withGraph } from "@/graph/document";
import type { InputType, NodeTypes } from "@/graph/node_type";
import type { Value } from "@/graph/value";
import { inputsOf } from "@/graph/widgets";

import { boundaryOf } from "./editor_values";

interface Moment {
  /** A number in 0…1, 1 left out, like Math.random. */
  readonly random: () => number;
  readonly now: Date;
}

/** Inputs that hold the beginning of a file name. */
const FILE_NAMES: ReadonlySet<string> = new Set(["filename_prefix"]);

const COMMENTS = /\/\*[^]*?\*\/|\/\/[^\n]*/g;
const PIECES = /\\[{}|]|[{}|]|[^\\{}|]+|\\/g;
const WORDS = /%([^%]+)%/g;
const DATE_PARTS = /y{2,4}|MM?|dd?|hh?|mm?|ss?/g;
// oxlint-disable-next-line no-control-regex -- these are the characters that cannot be in a file's name
const NOT_IN_NAMES = /[/?<>\\:*|"\x00-\x1f\x7f]/g;

/** The document with its texts settled; the same document where there is nothing to settle. */
export function settleTexts(
  document: Document,
  types: NodeTypes,
  moment: Moment = { random: Math.random, now: new Date() },
): Document {
  const graphs = [document.root, ...document.subgraphs.values()];
  let settled = document;
  for (const graph of graphs) settled = withGraph(settled, settledGraph(document, graph, types, moment));
  return settled;
}

function settledGraph(document: Document, graph: Graph, types: NodeTypes, moment: Moment): Graph {
  const changed: Node[] = [];
  for (const node of graph.nodes.values()) {
    const texts = Object.entries(node.values).filter(([, value]) => typeof value === "string" && /[{%/\\]/.test(value));
    const values = texts.flatMap(([name, value]): [string, Value][] => {
      const text = settledText(String(value), endsOf(document, graph, node, name, types), document, moment);
      return text === value ? [] : [[name, text]];
    });
    if (values.length > 0) changed.push({ ...node, values: { ...node.values, ...Object.fromEntries(values) } });
  }
  if (changed.length === 0) return graph;
  const nodes = new Map(graph.nodes);
  for (const node of changed) nodes.set(node.id, node);
  return { ...graph, nodes };
}

function settledText(text: string, ends: readonly InputType[], document: Document, moment: Moment): string {
  if (ends.some((end) => end.options["dynamicPrompts"] === true)) return choose(text, moment.random);
  if (ends.some((end) => FILE_NAMES.has(end.name)))
    return fillIn(text, moment.now, (word) => inputValue(document, word));
  return text;
}

/** The inputs a node's value ends up in: its own; those a primitive or a sub-graph's instance hands it on to. */
function endsOf(
  document: Document,
  graph: Graph,
  node: Node,
  name: string,
  types: NodeTypes,
  depth = 0,
): readonly InputType[] {
  const definition = document.subgraphs.get(node.type);
  if (definition !== undefined && depth < MOST_LEVELS) {
    const { inputs, fed } = boundaryOf(definition);
    return (fed.get(inputs.indexOf(name)) ?? []).flatMap((each) => {
      const inner = definition.nodes.get(each.node);
      return inner === undefined ? [] : endsOf(document, definition, inner, each.slot.name, types, depth + 1);
    });
  }
  if (node.type === PRIMITIVE) {
    return [...graph.links.values()].flatMap((link) => {
      const target = link.origin === node.id ? graph.nodes.get(link.target) : undefined;
      const slot = target?.inputs[link.targetSlot];
      if (target === undefined || slot === undefined || depth >= MOST_LEVELS) return [];
      return endsOf(document, graph, target, slot.name, types, depth + 1);
    });
  }
  const type = types.get(node.type);
  if (type === undefined) return [];
  const own = inputsOf(type, node.values, node.inputs).find((each) => each.name === name);
  return own === undefined ? [] : [own];
}

const MOST_LEVELS = 20;

/** The text without comments, and one of each {a|b|c} taken. Braces nest; behind a backslash they are just braces. */
export function choose(text: string, random: () => number): string {
  const frames: string[][][] = [[[]]];
  for (const piece of text.replace(COMMENTS, "").match(PIECES) ?? []) {
    const isOpen = frames.length > 1;
    if (piece === "{") {
      frames.push([[]]);
    } else if (piece === "|" && isOpen) {
      frames.at(-1)?.push([]);
    } else if (piece === "}" && isOpen) {
      const options = frames.pop() ?? [];
      add(frames, (options[Math.floor(random() * options.length)] ?? []).join(""));
    } else {
      add(frames, piece.length === 2 && piece.startsWith("\\") ? piece.slice(1) : piece);
    }
  }
  // A brace that is never closed is just a brace.
  const [outer, ...open] = frames;
  const unclosed = open.map((options) => `{${options.map((each) => each.join("")).join("|")}`);
  return (outer?.[0] ?? []).join("") + unclosed.join("");
}

function add(frames: readonly string[][][], text: string): void {
  frames.at(-1)?.at(-1)?.push(text);
}

/** The text with %date:FORMAT% and %Node.input% replaced; other words stay. */
export function fillIn(text: string, now: Date, valueOf: (word: string) => Value | undefined): string {
  return text.replace(WORDS, (whole, word: string) => {
    if (word.startsWith("date:")) return word.slice("date:".length).replace(DATE_PARTS, (part) => datePart(part, now));
    const value = valueOf(word);
    return value === undefined ? whole : String(value).replace(NOT_IN_NAMES, "_");
  });
}

function datePart(letters: string, now: Date): string {
  if (letters.startsWith("y")) return String(now.getFullYear()).padStart(4, "0").slice(-letters.length);
  const parts: Record<string, number> = {
    M: now.getMonth() + 1,
    d: now.getDate(),
    h: now.getHours(),
    m: now.getMinutes(),
    s: now.getSeconds(),
  };
  return String(parts[letters.charAt(0)] ?? "").padStart(letters.length, "0");
}

/** The value "Node.input" names, where Node is a type or a title. */
function inputValue(document: Document, word: string): Value | undefined {
  const dot = word.lastIndexOf(".");
  if (dot === -1) return undefined;
  const [name, input] = [word.slice(0, dot), word.slice(dot + 1)];
  const nodes = [document.root, ...document.subgraphs.values()].flatMap((graph) => [...graph.nodes.values()]);
  const named = [...nodes.filter((node) => node.type === name), ...nodes.filter((node) => node.title === name)];
  const values = named.map((node) => (Object.hasOwn(node.values, input) ? node.values[input] : undefined));
  return values.find((value) => value !== undefined && value !== null && typeof value !== "object");
}
