/**
 * A Python script that runs the same graph with our library: one readable line or block for each node, in the order in
 * which they need each other, variables named after titles.
 */

import type { Document } from "@/graph/document";
import type { InputType, NodeTypes } from "@/graph/node_type";
import { isObject, type JsonObject, type Value } from "@/graph/value";

import { toPrompt } from "./prompt";

const LONGEST_LINE = 100;

const KEYWORDS: ReadonlySet<string> = new Set(
  (
    "False None True and as assert async await break class continue def del elif else except finally for from global " +
    "if import in is lambda nonlocal not or pass raise return try while with yield build graph load result path Builder"
  ).split(" "),
);

/** Arguments of Builder.node that are not inputs; inputs of these names are given in a dict. */
const TAKEN: ReadonlySet<string> = new Set(["self", "class_type", "id", "title"]);

interface ScriptNode {
  readonly id: string;
  readonly variable: string;
  readonly type: string;
  readonly title: string | null;
  readonly inputs: readonly (readonly [string, Value])[];
}

export function toPython(document: Document, types: NodeTypes, name: string): string {
  const made = toPrompt(document, types);
  const nodes = made.ok ? named(made.value.prompt, types) : [];
  const variables = new Map(nodes.map((node) => [node.id, node.variable]));
  const written = new Set<string>();
  const later: string[] = [];
  const body = inOrder(nodes).flatMap((node) => {
    const lines = nodeLines(node, types, variables, written, later);
    written.add(node.id);
    return lines;
  });
  const head = name.replace(/[\\"\p{C}]/gu, " ").trim();
  return [
    `"""${head}: a workflow of Latentwire's editor as a script. Run it where Latentwire is installed."""`,
    "",
    "from engine.graph.builder import Builder",
    "",
    "",
    "def build() -> Builder:",
    '    """The graph: change values here, or add nodes of your own."""',
    "    graph = Builder()",
    ...(made.ok ? [] : [`    # This workflow makes no prompt (${made.reason.code.replace("reason.", "")}).`]),
    ...[...body, ...later].map((line) => (line === "" ? "" : `    ${line}`)),
    "    return graph",
    "",
    "",
    'if __name__ == "__main__":',
    "    from latentwire import load",
    "",
    "    result = load(build().to_json()).run()",
    "    for path in result.files:",
    "        print(path)",
    "",
  ].join("\n");
}

/** The nodes of a prompt with a variable for each, after its title where it has one of its own. */
function named(prompt: JsonObject, types: NodeTypes): ScriptNode[] {
  const taken = new Set(KEYWORDS);
  return Object.entries(prompt).flatMap(([id, entry]) => {
    if (!isObject(entry)) return [];
    const type = String(entry["class_type"]);
    const meta = entry["_meta"];
    const title = isObject(meta) ? String(meta["title"] ?? "") : "";
    const isOwn = title !== "" && title !== type && title !== types.get(type)?.displayName;
    const inputs = Object.entries(isObject(entry["inputs"]) ? entry["inputs"] : {});
    const variable = free(identifierOf(isOwn ? title : type) || identifierOf(type) || "node", taken);
    taken.add(variable);
    return [{ id, variable, type, title: isOwn ? title : null, inputs }];
  });
}

/** "KSampler (Advanced)" as `ksampler_advanced`; empty for a name without Latin letters. */
function identifierOf(name: string): string {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .toLowerCase();
  const plain = words.replace(/[^a-z0-9]+/g, "_").replace(/^[_\d]+|_+$/g, "");
  return plain.slice(0, 40).replace(/_+$/, "");
}

function free(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  let number = 2;
  while (taken.has(`${name}_${number}`)) number += 1;
  return `${name}_${number}`;
}

/** Each node behind those it needs, as far as there is no ring. */
function inOrder(nodes: readonly ScriptNode[]): ScriptNode[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const [entered, found] = [new Set<string>(), new Map<string, ScriptNode>()];
  const waiting = nodes.toReversed();
  for (let node = waiting.at(-1); node !== undefined; node = waiting.at(-1)) {
    if (entered.has(node.id)) {
      waiting.pop();
      found.set(node.id, node);
      continue;
    }
    entered.add(node.id);
    for (const [, value] of node.inputs.toReversed()) {
      const origin = isWire(value) ? byId.get(String(value[0])) : undefined;
      if (origin !== undefined && !entered.has(origin.id)) waiting.push(origin);
    }
  }
  return [...found.values()];
}

/** The statement that adds a node; wires from nodes that are written after it go to `later`. */
function nodeLines(
  node: ScriptNode,
  types: NodeTypes,
  variables: ReadonlyMap<string, string>,
  written: ReadonlySet<string>,
  later: string[],
): string[] {
  const type = types.get(node.type);
  const inputs: [string, string][] = [];
  for (const [name, value] of node.inputs) {
    const text = inPython(
      value,
      type?.inputs.find((each) => each.name === name),
      variables,
    );
    if (isWire(value) && !written.has(String(value[0]))) {
      later.push(`graph.set(${node.variable}, ${quoted(name)}, ${text})`);
    } else {
      inputs.push([name, text]);
    }
  }
  const more = [`id=${quoted(node.id)}`, ...(node.title === null ? [] : [`title=${quoted(node.title)}`])];
  if (inputs.every(([name]) => isKeyword(name))) {
    return call(`${node.variable} = graph.node`, [
      quoted(node.type),
      ...more,
      ...inputs.map(([key, text]) => `${key}=${text}`),
    ]);
  }
  const entries = inputs.map(([name, text]) => `${quoted(name)}: ${text}`);
  return call(`${node.variable} = graph.add`, [quoted(node.type), `{${entries.join(", ")}}`, ...more]);
}

function isKeyword(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name) && !KEYWORDS.has(name) && !TAKEN.has(name);
}

/** A call on one line where it fits, else with one argument a line. */
function call(what: string, args: readonly string[]): string[] {
  const line = `${what}(${args.join(", ")})`;
  if (line.length <= LONGEST_LINE) return [line];
  return [`${what}(`, ...args.map((each) => `    ${each},`), ")"];
}

function inPython(value: Value, input: InputType | undefined, variables: ReadonlyMap<string, string>): string {
  if (isWire(value)) {
    const variable = variables.get(String(value[0]));
    if (variable !== undefined) return value[1] === 0 ? variable : `${variable}.out(${String(value[1])})`;
  }
  // The builder wraps lists itself.
  const bare = isObject(value) && Array.isArray(value["__value__"]) ? value["__value__"] : value;
  return input?.type === "FLOAT" && Number.isInteger(bare) ? float(String(bare)) : literal(bare);
}

/** Digits alone are an int to Python; "1e+21" is a float already. */
function float(digits: string): string {
  return /^-?\d+$/.test(digits) ? `${digits}.0` : digits;
}

function isWire(value: Value): value is readonly [string, number] {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === "string" && typeof value[1] === "number";
}

function literal(value: Value): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `[${(value as readonly Value[]).map(literal).join(", ")}]`;
  if (isObject(value)) {
    const entries = Object.entries(value).map(([key, each]) => `${quoted(key)}: ${literal(each)}`);
    return `{${entries.join(", ")}}`;
  }
  return String(value);
}

/** A text in double quotes, with everything escaped that could end it, break the line or not be shown. */
function quoted(text: string): string {
  const escaped = text.replace(/[\\"\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (letter) => {
    const known = ESCAPES.get(letter);
    if (known !== undefined) return known;
    const code = letter.codePointAt(0) ?? 0;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
  return `"${escaped}"`;
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\\", "\\\\"],
  ['"', '\\"'],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);
