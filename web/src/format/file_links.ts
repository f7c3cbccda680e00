/**
 * Where the value of a drawn input comes from: through reroutes, primitives, bypassed nodes and sub-graph boundaries.
 *
 * A `Scope` is a graph at the place where it stands: the root, or one instance of a sub-graph. `Tracer.trace` follows
 * the wire behind an input to a node that runs, to a literal, or to nothing. The same as the server's
 * engine/graph/editor_links.py; rules: workflow_formats.md, sections 5 and 6.
 */

import { BYPASSED, MARKDOWN_NOTE, MUTED, NOTE, PRIMITIVE, REROUTE } from "@/graph/document";
import { type JsonObject, sameValue, type Value } from "@/graph/value";
import { isControl } from "@/graph/widgets";

import { type DrawnFile, type FileGraph, type FileNode, own, type Slot } from "./file_graph";
import { groupName, type Lookup, ungroup } from "./file_groups";
import { asLiteral, widgetValues } from "./file_widgets";
import { MAX_NESTING } from "./json";
import { refuse } from "./refusal";

export const MAX_NODES = 100_000;

const DRAWN: ReadonlySet<string> = new Set([REROUTE, PRIMITIVE, NOTE, MARKDOWN_NOTE]);

// Kinds some plugins draw and never run; they count only where no node type of that name is known.
const SETTERS: ReadonlySet<string> = new Set(["SetNode", "easy setNode"]);
const GETTERS: ReadonlySet<string> = new Set(["GetNode", "easy getNode"]);
const DRAWN_BY_PLUGINS: ReadonlySet<string> = new Set([
  ...SETTERS,
  ...GETTERS,
  "Reroute (rgthree)",
  "Label (rgthree)",
  "Bookmark (rgthree)",
  "Fast Groups Muter (rgthree)",
  "Fast Groups Bypasser (rgthree)",
  "Fast Muter (rgthree)",
  "Fast Bypasser (rgthree)",
  "Mute / Bypass Relay (rgthree)",
  "Mute / Bypass Repeater (rgthree)",
  "Fast Actions Button (rgthree)",
  "Node Collector (rgthree)",
]);

/** Whether a node of this type, where nobody knows it, is one a plugin only draws. */
export function isDrawnByPlugin(type: string): boolean {
  return DRAWN_BY_PLUGINS.has(type);
}

/** An output of a node that runs, by the id it has there; or a value that someone typed. */
export type Origin =
  | { readonly kind: "reference"; readonly node: string; readonly slot: number }
  | { readonly kind: "literal"; readonly value: Value };

/** A graph where it stands. `prefix` goes before its nodes' ids; `node` is the instance it stands for in `outer`. */
export interface Scope {
  readonly graph: FileGraph;
  readonly prefix: string;
  readonly depth: number;
  readonly node: FileNode | null;
  readonly outer: Scope | null;
  readonly kinds: ReadonlySet<string>;
}

/** A place on the way: an input slot of a node, and the type the one who asked can use. */
interface At {
  readonly kind: "at";
  readonly scope: Scope;
  readonly node: FileNode;
  readonly slot: Slot;
  readonly wanted: string;
}

export class Tracer {
  readonly root: Scope;
  private readonly insides = new Map<string, Scope>();
  private readonly answers = new Map<string, Origin | null>();

  constructor(
    private readonly file: DrawnFile,
    private readonly lookup: Lookup,
  ) {
    this.root = { graph: file.root, prefix: "", depth: 0, node: null, outer: null, kinds: new Set() };
  }

  /** Whether a node is only drawn and never runs. */
  isVirtual(node: FileNode): boolean {
    return DRAWN.has(node.type) || (DRAWN_BY_PLUGINS.has(node.type) && this.lookup(node.type) === undefined);
  }

  /** The graph a sub-graph instance or a group node stands for; null for ordinary nodes. */
  inside(scope: Scope, node: FileNode): Scope | null {
    const group = this.file.groups.get(groupName(node.type));
    const definition = this.file.definitions.get(node.type);
    if (group === undefined && definition === undefined) return null;
    const key = scope.prefix + node.id;
    const known = this.insides.get(key);
    if (known !== undefined) return known;
    const made = this.enter(scope, node, group, definition);
    this.insides.set(key, made);
    return made;
  }

  private enter(scope: Scope, node: FileNode, group: JsonObject | undefined, definition: FileGraph | undefined): Scope {
    const name = definition?.name || node.type;
    if (scope.kinds.has(node.type)) refuse("reason.file_subgraph_in_itself", { name });
    if (scope.depth >= MAX_NESTING || this.insides.size >= MAX_NODES)
      refuse("reason.file_too_many_subgraphs", { name });
    const graph = group === undefined ? definition : ungroup(node, group, this.lookup);
    return {
      graph: graph ?? refuse("reason.file_odd_group", { name }),
      prefix: `${scope.prefix}${node.id}:`,
      depth: scope.depth + 1,
      node: group === undefined ? node : { ...node, values: null }, // they are with the inner nodes now
      outer: scope,
      kinds: new Set(scope.kinds).add(node.type),
    };
  }

  /** What feeds an input slot of a node: a node that runs, a literal, or null (nothing, or a dead end). */
  trace(scope: Scope, node: FileNode, slot: Slot): Origin | null {
    let at: At | Origin | null = { kind: "at", scope, node, slot, wanted: slot.type };
    const way: string[] = [];
    while (at?.kind === "at") {
      const place = JSON.stringify([at.scope.prefix, at.node.id, at.slot.link, at.wanted]);
      const known = this.answers.get(place);
      if (known !== undefined) {
        at = known;
        break;
      }
      this.answers.set(place, null); // what is met again on the same way is a ring, and leads nowhere
      way.push(place);
      at = this.step(at);
    }
    // Everything on the way has the same answer, so long rows of reroutes are walked once.
    for (const place of way) this.answers.set(place, at);
    return at;
  }

  /** From an input, over one wire, to the input that decides next or to the answer. */
  private step(at: At): At | Origin | null {
    let scope = at.scope;
    let wire = at.slot.link === null ? undefined : scope.graph.wires.get(at.slot.link);
    while (wire !== undefined) {
      if (scope.outer !== null && wire.origin === scope.graph.inputNode) return this.leave(scope, wire.originSlot);
      const node = scope.graph.nodes.get(wire.origin);
      if (node === undefined) return null;
      if (node.mode === BYPASSED) {
        const chosen = throughBypassed(node, wire.originSlot, at.wanted);
        return chosen === null ? null : { kind: "at", scope, node, slot: chosen, wanted: chosen.type };
      }
      const inside = this.inside(scope, node);
      if (inside === null) return this.outOf(scope, node, wire.originSlot, at.wanted);
      if (node.mode === MUTED) return null;
      scope = inside;
      wire = inside.graph.leaving.get(wire.originSlot);
    }
    return null;
  }

  private outOf(scope: Scope, node: FileNode, index: number, wanted: string): At | Origin | null {
    if (!this.isVirtual(node)) return { kind: "reference", node: scope.prefix + node.id, slot: index };
    if (node.type === PRIMITIVE) {
      const value = node.values?.[0];
      return value === undefined ? null : { kind: "literal", value: asLiteral(value) };
    }
    if (GETTERS.has(node.type)) return setElsewhere(scope, node, wanted);
    // A setter passes on what it was given, like a reroute.
    const slot = node.inputs[index] ?? node.inputs[0];
    return slot === undefined ? null : { kind: "at", scope, node, slot, wanted };
  }

  /** From the boundary of a sub-graph to what its instance is given there. */
  private leave(scope: Scope, index: number): At | Origin | null {
    const { node: instance, outer } = scope;
    const { inputs } = scope.graph;
    if (instance === null || outer === null || index >= inputs.length) return null;
    const slot = slotOf(instance, inputs, index);
    if (slot !== null && slot.link !== null && outer.graph.wires.has(slot.link)) {
      return { kind: "at", scope: outer, node: instance, slot, wanted: slot.type };
    }
    return this.typedIn(scope, index);
  }

  /** The value a sub-graph's input has when nothing is wired to it: the instance's, else the first inner one. */
  private typedIn(scope: Scope, start: number): Origin | null {
    let inner = scope;
    let index = start;
    for (;;) {
      const name = inner.graph.inputs[index];
      if (inner.node === null || name === undefined) return null;
      const promoted = own(promotedValues(inner.node, inner.graph), name);
      if (promoted !== undefined) return { kind: "literal", value: asLiteral(promoted) };
      const fed = inner.graph.fed.get(index)?.find((each) => each.slot.isWidget);
      const node = fed === undefined ? undefined : inner.graph.nodes.get(fed.node);
      if (fed === undefined || node === undefined) return null;
      const below = this.inside(inner, node);
      if (below === null) {
        const value = own(widgetValues(node, this.lookup(node.type)).values, fed.slot.name);
        return value === undefined ? null : { kind: "literal", value };
      }
      index = below.graph.inputs.indexOf(fed.slot.name);
      if (index === -1) return null;
      inner = below;
    }
  }
}

/** The setter with the getter's name, in its own graph first, then in those around it. */
function setElsewhere(scope: Scope, getter: FileNode, wanted: string): At | null {
  const name = getter.values?.[0];
  if (name === undefined) return null;
  for (let around: Scope | null = scope; around !== null; around = around.outer) {
    for (const node of around.graph.nodes.values()) {
      const [own] = node.values ?? [];
      const [slot] = node.inputs;
      if (SETTERS.has(node.type) && own !== undefined && sameValue(own, name) && slot !== undefined) {
        return { kind: "at", scope: around, node, slot, wanted };
      }
    }
  }
  return null;
}

/** The values an instance holds for its sub-graph's inputs, by their names; four encodings are in use. */
export function promotedValues(instance: FileNode, graph: Pick<FileGraph, "inputs" | "fed">): JsonObject {
  if (instance.named !== null) return instance.named;
  const row = instance.values ?? [];
  const { proxies } = instance;
  const found: [string, Value][] = [];
  if (proxies !== null) {
    const mine = row.length === proxies.length ? proxies : proxies.filter(([inner]) => inner === "-1");
    if (mine.length !== row.length) return {};
    mine.forEach(([inner, name], i) => {
      if (inner === "-1") found.push([name, row[i] ?? null]);
    });
    return Object.fromEntries(found);
  }
  let place = 0;
  graph.inputs.forEach((name, index) => {
    const value = row[place];
    if (value === undefined || graph.fed.get(index)?.some((each) => each.slot.isWidget) !== true) return;
    found.push([name, value]);
    // What happens to a seed after a run is stored behind it, here too.
    place += isControl(row[place + 1]) ? 2 : 1;
  });
  return Object.fromEntries(found);
}

/** Whether two slots' types can be joined: alike but for case, either any, or one alternative in common. */
function areCompatible(one: string, other: string): boolean {
  const [left, right] = [one.trim().toLowerCase(), other.trim().toLowerCase()];
  if (["", "*"].includes(left) || ["", "*"].includes(right) || left === right) return true;
  const alternatives = new Set(left.split(",").map((each) => each.trim()));
  return right.split(",").some((each) => alternatives.has(each.trim()));
}

/** Which input a bypassed node hands on at an output. */
function throughBypassed(node: FileNode, index: number, wanted: string): Slot | null {
  const { inputs } = node;
  const same = inputs[index];
  if (wanted === "" || wanted === "*") return same ?? inputs[0] ?? null;
  const given = node.outputs[index] ?? "*";
  const suits = (slot: Slot): boolean => areCompatible(slot.type, given) && areCompatible(slot.type, wanted);
  if (same !== undefined && suits(same)) return same;
  return inputs.find((each) => each.type === wanted) ?? inputs.find(suits) ?? null;
}

/** The instance's slot for an input of its sub-graph: by name, because people reorder them, else by place. */
function slotOf(instance: FileNode, inputs: readonly string[], index: number): Slot | null {
  const named = instance.inputs.find((each) => each.name === inputs[index]);
  if (named !== undefined) return named;
  const placed = instance.inputs[index];
  return placed === undefined || inputs.includes(placed.name) ? null : placed;
}
