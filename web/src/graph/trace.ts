/**
 * Where the value of an input comes from: through reroutes, primitives, bypassed nodes and the boundaries of
 * sub-graphs, to a node that runs, to a value someone typed, or to nothing.
 */

import { DRAWN_KINDS, DRAWN_VALUE } from "./create";
import {
  BYPASSED,
  type Document,
  type Graph,
  INPUT_NODE,
  type Link,
  MUTED,
  type Node,
  OUTPUT_NODE,
  type Path,
  PRIMITIVE,
} from "./document";
import { linkInto } from "./links";
import { throughBypassed } from "./sockets";
import type { Value } from "./value";
import { valueAt } from "./node_inputs";

/** A graph where it stands: the root, or the inside of one instance of a sub-graph. */
export interface Scope {
  readonly graph: Graph;
  readonly path: Path;
  /** The instance that it is the inside of, and where that stands; null for the root. */
  readonly instance: Node | null;
  readonly outer: Scope | null;
}

export type Source =
  | { readonly kind: "output"; readonly scope: Scope; readonly node: Node; readonly slot: number }
  | { readonly kind: "value"; readonly value: Value }
  | null;

/** A place on the way: an input slot of a node, and the type that the one who asked can use. */
interface At {
  readonly kind: "at";
  readonly scope: Scope;
  readonly node: Node;
  readonly slot: number;
  readonly wanted: string;
}

const MAX_NESTING = 64;

/** Follows wires through a whole document. */
export class Tracer {
  readonly root: Scope;
  private readonly scopes = new Map<string, Scope>();
  /** The node that the last step came to. */
  private reached: Node | null = null;

  constructor(private readonly document: Document) {
    this.root = { graph: document.root, path: [], instance: null, outer: null };
  }

  /** The graph an instance stands for, at its place; null for other nodes and for one that contains itself. */
  inside(scope: Scope, node: Node): Scope | null {
    const graph = this.document.subgraphs.get(node.type);
    if (graph === undefined || scope.path.length >= MAX_NESTING || isWithin(scope, graph)) return null;
    const path = [...scope.path, node.id];
    const key = path.join(":");
    const known = this.scopes.get(key);
    if (known !== undefined) return known;
    const made = { graph, path, instance: node, outer: scope };
    this.scopes.set(key, made);
    return made;
  }

  /** What feeds an input slot of a node. */
  trace(scope: Scope, node: Node, slot: number): Source {
    let at: At | Source = { kind: "at", scope, node, slot, wanted: node.inputs[slot]?.type ?? "*" };
    const seen = new Set<string>();
    while (at?.kind === "at") {
      const place = `${at.scope.path.join(":")} ${at.node.id} ${at.slot} ${at.wanted}`;
      if (seen.has(place)) return null;
      seen.add(place);
      at = this.step(at);
    }
    return at;
  }

  /** The muted or bypassed node at which the way to an input's value ends; null when it does not end at one. */
  stopOf(scope: Scope, node: Node, slot: number): Node | null {
    this.reached = null;
    const source = this.trace(scope, node, slot);
    const last: Node | null = source?.kind === "output" ? source.node : this.reached;
    const isOff = last?.mode === MUTED || last?.mode === BYPASSED;
    return source?.kind !== "value" && isOff ? last : null;
  }

  /** From an input, over one wire, to the input that decides next or to the answer. */
  private step(at: At): At | Source {
    let scope = at.scope;
    let link = linkInto(scope.graph, at.node.id, at.slot);
    while (link !== null) {
      if (link.origin === INPUT_NODE) return this.leave(scope, link.originSlot);
      const node: Node | undefined = scope.graph.nodes.get(link.origin);
      if (node === undefined) return null;
      this.reached = node;
      if (node.mode === BYPASSED) return past(scope, node, link, at.wanted);
      const inside = this.inside(scope, node);
      if (inside === null) return outOf(scope, node, link, at.wanted);
      if (node.mode === MUTED) return null;
      scope = inside;
      link = linkInto(inside.graph, OUTPUT_NODE, link.originSlot);
    }
    return null;
  }

  /** From the boundary of a sub-graph to what its instance is given there: a wire, or the value it holds. */
  private leave(scope: Scope, index: number): At | Source {
    const { instance, outer } = scope;
    const port = scope.graph.inputs[index];
    if (instance === null || outer === null || port === undefined) return null;
    const slot = instance.inputs.findIndex((each) => each.name === port.name);
    const given = instance.inputs[slot];
    if (given !== undefined && linkInto(outer.graph, instance.id, slot) !== null) {
      return { kind: "at", scope: outer, node: instance, slot, wanted: given.type };
    }
    const value = valueAt(this.document, instance, port.name);
    return value === undefined ? null : { kind: "value", value };
  }
}

function past(scope: Scope, node: Node, link: Link, wanted: string): At | null {
  const slot = throughBypassed(node, link.originSlot, wanted);
  return slot === null ? null : { kind: "at", scope, node, slot, wanted: node.inputs[slot]?.type ?? "*" };
}

function outOf(scope: Scope, node: Node, link: Link, wanted: string): At | Source {
  if (!DRAWN_KINDS.has(node.type)) return { kind: "output", scope, node, slot: link.originSlot };
  if (node.type === PRIMITIVE) {
    const value = node.values[DRAWN_VALUE];
    return value === undefined ? null : { kind: "value", value };
  }
  const slot = link.originSlot < node.inputs.length ? link.originSlot : 0;
  return node.inputs.length === 0 ? null : { kind: "at", scope, node, slot, wanted };
}

function isWithin(scope: Scope, graph: Graph): boolean {
  for (let each: Scope | null = scope; each !== null; each = each.outer) if (each.graph === graph) return true;
  return false;
}
