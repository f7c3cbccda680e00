/** What is wrong with a document before it is sent: of the nodes that would run, everything at once. */

import { nodesInRings } from "./cycles";
import { DRAWN_KINDS } from "./create";
import { BYPASSED, type Document, type Graph, MUTED, type Node, type NodeId, type Path } from "./document";
import { linkInto } from "./links";
import type { InputType, NodeType, NodeTypes } from "./node_type";
import { type Reason, reason } from "./reason";
import { areCompatible } from "./sockets";
import { type Scope, type Source, Tracer } from "./trace";
import { checkValue } from "./values";
import { defaultOf, inputsOf, isWidget } from "./widgets";

/** Something wrong with a node, or with one of its inputs. */
export interface Finding {
  readonly path: Path;
  readonly node: NodeId;
  readonly input: string | null;
  readonly reason: Reason;
}

/** A node at its place in a document. */
interface Place {
  readonly scope: Scope;
  readonly node: Node;
}

/** Every finding about the nodes that the outputs need (those in `targets` only, when given). */
export function checkDocument(document: Document, types: NodeTypes, targets?: ReadonlySet<string>): readonly Finding[] {
  const tracer = new Tracer(document);
  const check = new Check(document, types, tracer);
  for (const place of outputsIn(tracer, types, tracer.root)) {
    if (targets === undefined || targets.has(keyOf(place))) check.need(place);
  }
  return check.findings();
}

/** The nodes that show or save something, wherever they stand; what a run can be limited to. */
export function outputNodes(document: Document, types: NodeTypes): readonly { path: Path; node: NodeId }[] {
  const tracer = new Tracer(document);
  return outputsIn(tracer, types, tracer.root).map(({ scope, node }) => ({ path: scope.path, node: node.id }));
}

function outputsIn(tracer: Tracer, types: NodeTypes, scope: Scope): readonly Place[] {
  return [...scope.graph.nodes.values()].filter(runs).flatMap((node) => {
    const inside = tracer.inside(scope, node);
    if (inside !== null) return outputsIn(tracer, types, inside);
    return types.get(node.type)?.isOutput === true ? [{ scope, node }] : [];
  });
}

function runs(node: Node): boolean {
  return node.mode !== MUTED && node.mode !== BYPASSED;
}

function keyOf({ scope, node }: Place): string {
  return [...scope.path, node.id].join(":");
}

class Check {
  private readonly waiting: Place[] = [];
  private readonly seen = new Set<string>();
  private readonly found: Finding[] = [];
  private readonly rings = new Map<Graph, ReadonlySet<NodeId>>();

  constructor(
    private readonly document: Document,
    private readonly types: NodeTypes,
    private readonly tracer: Tracer,
  ) {}

  need(place: Place): void {
    const key = keyOf(place);
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.waiting.push(place);
  }

  findings(): readonly Finding[] {
    for (let place = this.waiting.pop(); place !== undefined; place = this.waiting.pop()) this.node(place);
    return this.found;
  }

  private node(place: Place): void {
    const { node } = place;
    const type = this.types.get(node.type);
    if (this.isInRing(place)) this.say(place, null, reason("reason.in_ring"));
    if (type === undefined && !DRAWN_KINDS.has(node.type)) {
      this.say(place, null, reason("reason.unknown_type", { type: node.type }));
    }
    for (const slot of node.inputs.keys()) {
      const source = this.tracer.trace(place.scope, node, slot);
      if (source?.kind === "output" && runs(source.node)) this.need({ scope: source.scope, node: source.node });
    }
    if (type !== undefined) this.inputs(place, type);
  }

  private inputs(place: Place, type: NodeType): void {
    const { node, scope } = place;
    const slots = new Map(node.inputs.map((slot, i) => [slot.name, i]));
    for (const input of inputsOf(type, node.values, node.inputs)) {
      const slot = slots.get(input.name);
      const isWired = slot !== undefined && linkInto(scope.graph, node.id, slot) !== null;
      const source = isWired ? this.tracer.trace(scope, node, slot) : null;
      const isFed = source?.kind === "value" || (source?.kind === "output" && runs(source.node));
      const off = isWired && !isFed ? this.tracer.stopOf(scope, node, slot) : null;
      const holds = source === null && isWidget(input); // a muted node gives nothing, not even what the widget holds
      const why = isFed ? this.wired(input, source) : holds ? checkHeld(node, input) : this.unfed(input, off);
      if (why !== null) this.say(place, input.name, why);
    }
  }

  private wired(input: InputType, source: Exclude<Source, null>): Reason | null {
    if (source.kind === "value") return checkValue(input, source.value);
    const given = this.types.get(source.node.type)?.outputs[source.slot]?.type;
    if (given === undefined || areCompatible(given, input.type)) return null;
    return reason("reason.type_mismatch", { given, wanted: input.type });
  }

  /** An input that nothing comes into. `off`: the node that its wire ends at. */
  private unfed(input: InputType, off: Node | null): Reason | null {
    if (!input.required) return null;
    if (off === null) return reason("reason.missing_input", { input: input.name });
    const code = off.mode === MUTED ? "reason.from_muted" : "reason.from_bypassed";
    return reason(code, { input: input.name, node: this.titleOf(off) });
  }

  private titleOf(node: Node): string {
    const name = this.types.get(node.type)?.displayName ?? this.document.subgraphs.get(node.type)?.name;
    return node.title || name || node.type;
  }

  private isInRing({ scope, node }: Place): boolean {
    const known = this.rings.get(scope.graph) ?? nodesInRings(this.document, scope.graph);
    this.rings.set(scope.graph, known);
    return known.has(node.id);
  }

  private say(place: Place, input: string | null, why: Reason): void {
    this.found.push({ path: place.scope.path, node: place.node.id, input, reason: why });
  }
}

/** What is wrong with the value that a widget holds. */
function checkHeld(node: Node, input: InputType): Reason | null {
  return checkValue(input, node.values[input.name] ?? defaultOf(input));
}
