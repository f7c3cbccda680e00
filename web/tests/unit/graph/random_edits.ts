/**
 * Random edits of every kind, for property tests. An edit is a kind and some dice; what the dice mean is decided by the
 * document at hand, so that most edits do something.
 */

import * as fc from "fast-check";

import {
  ALWAYS,
  BYPASSED,
  type Document,
  type Graph,
  type GraphId,
  INPUT_NODE,
  MUTED,
  type Node,
  type NodeId,
  OUTPUT_NODE,
  PRIMITIVE,
  ROOT,
} from "@/graph/document";
import { afterRun } from "@/graph/edits/advance_controls";
import { align, distribute } from "@/graph/edits/align";
import { copy, duplicate, paste } from "@/graph/edits/clipboard";
import { addGroup, fitGroup, moveGroup, setGroup } from "@/graph/edits/groups";
import { connect, connectFitting, disconnect, insertReroute, removeAround } from "@/graph/edits/links";
import * as nodes from "@/graph/edits/nodes";
import {
  addPort,
  demote,
  makeUnique,
  movePort,
  pack,
  promote,
  removePort,
  renamePort,
  unpack,
} from "@/graph/edits/subgraphs";
import { convertToInput, convertToWidget, setControl, setValue } from "@/graph/edits/values";
import { linkInto, type OutputEnd, type SlotEnd } from "@/graph/links";
import { inputsAt, widgetsAt } from "@/graph/node_inputs";
import type { NodeTypes } from "@/graph/node_type";
import type { Outcome } from "@/graph/reason";
import { areCompatible } from "@/graph/sockets";
import { hasControl, isWidget } from "@/graph/widgets";

export interface RandomEdit {
  readonly kind: EditKind;
  readonly dice: readonly number[];
}

type Change = (at: Place) => Document;

/** Where an edit happens, and the dice that are left. */
class Place {
  readonly graph: Graph;
  private next = 0;

  constructor(
    readonly document: Document,
    readonly types: NodeTypes,
    private readonly dice: readonly number[],
  ) {
    const graphs = [document.root, document.root, ...document.subgraphs.values()];
    this.graph = this.pick(graphs) ?? document.root;
  }

  get graphId(): GraphId {
    return this.graph.id;
  }

  roll(sides: number): number {
    const die = this.dice[this.next % this.dice.length] ?? 0;
    this.next += 1;
    return sides <= 0 ? 0 : die % sides;
  }

  pick<T>(things: Iterable<T>): T | undefined {
    const list = [...things];
    return list[this.roll(list.length)];
  }

  node(): Node | undefined {
    return this.pick(this.graph.nodes.values());
  }

  instance(): Node | undefined {
    return this.pick([...this.graph.nodes.values()].filter((node) => this.document.subgraphs.has(node.type)));
  }

  /** A sub-graph, rather than the root. */
  inner(): Graph {
    return this.pick(this.document.subgraphs.values()) ?? this.graph;
  }

  someNodes(): ReadonlySet<NodeId> {
    const chance = 2 + this.roll(4);
    return new Set([...this.graph.nodes.keys()].filter(() => this.roll(7919) % chance === 0));
  }

  at(): { x: number; y: number } {
    return { x: this.roll(2000) - 500, y: this.roll(1500) - 300 };
  }

  done<T>(outcome: Outcome<T>, documentOf: (value: T) => Document): Document {
    return outcome.ok ? documentOf(outcome.value) : this.document;
  }
}

const CHANGES = {
  add: (at) => {
    const kinds = at.roll(4) === 0 ? at.types.keys() : USUAL;
    return added(at, at.pick(kinds) ?? "KSampler").document;
  },
  addInstance: (at) => {
    const id = at.pick(at.document.subgraphs.keys()) ?? "";
    return at.done(nodes.addInstance(at.document, at.graphId, id, at.at()), (each) => each.document);
  },
  addWired: (at) => {
    const from = at.pick(outputsOf(at.graph));
    const { document, id } = added(at, at.pick(USUAL) ?? "KSampler");
    return from === undefined ? document : connectFitting(document, at.graphId, at.types, id, { from });
  },
  remove: (at) => {
    const link = at.pick(at.graph.links.keys());
    const chosen = at.roll(9) === 0 ? at.someNodes() : new Set([at.node()?.id ?? ""]);
    return nodes.removeSelection(at.document, at.graphId, { nodes: chosen, links: new Set([link ?? ""]) });
  },
  removeAround: (at) => removeAround(at.document, at.graphId, [at.node()?.id ?? "", at.node()?.id ?? ""]),
  move: (at) => nodes.moveTo(at.document, at.graphId, new Map([[at.node()?.id ?? INPUT_NODE, at.at()]])),
  moveBy: (at) => nodes.moveBy(at.document, at.graphId, at.someNodes(), at.roll(50), at.roll(50)),
  resize: (at) =>
    nodes.resize(at.document, at.graphId, at.node()?.id ?? "", { width: at.roll(900), height: at.roll(900) }),
  color: (at) => nodes.setColor(at.document, at.graphId, at.someNodes(), `#${at.roll(1000)}`, null),
  mode: (at) => nodes.setMode(at.document, at.graphId, at.someNodes(), at.pick([ALWAYS, MUTED, BYPASSED]) ?? 0),
  collapse: (at) => nodes.setCollapsed(at.document, at.graphId, at.someNodes(), at.roll(2) === 0),
  raise: (at) => nodes.raise(at.document, at.graphId, at.someNodes()),
  value: (at) => {
    const node = at.node();
    const shown = node && at.pick(widgetsAt(at.document, at.graph, at.types, node));
    if (node === undefined || shown === undefined || shown.inner !== null) return at.document;
    const { input } = shown;
    const given = input.choices === null ? at.roll(100) : (at.pick(input.choices) ?? 0);
    return setValue(at.document, at.graphId, at.types, node.id, input.name, given);
  },
  control: (at) => {
    const node = at.node();
    const input = node && at.pick(inputsAt(at.document, at.graph, at.types, node).filter(hasControl));
    if (node === undefined || input === undefined) return at.document;
    const control = at.pick(["fixed", "increment", "decrement", "randomize"] as const) ?? "fixed";
    return setControl(at.document, at.graphId, node.id, input.name, control);
  },
  afterRun: (at) => afterRun(at.document, at.types, () => at.roll(1000) / 1000),
  toInput: (at) => {
    const node = at.node();
    const input = node && at.pick(inputsAt(at.document, at.graph, at.types, node).filter(isWidget));
    if (node === undefined || input === undefined) return at.document;
    return at.done(convertToInput(at.document, at.graphId, at.types, node.id, input.name), (document) => document);
  },
  toWidget: (at) => {
    const node = at.node();
    const slot = at.pick(node?.inputs ?? []);
    return convertToWidget(at.document, at.graphId, node?.id ?? "", slot?.name ?? "");
  },
  connect: (at) => {
    const ends = at.roll(2) === 0 ? at.graph.nodes.values() : [at.node()];
    const to = at.pick([...ends].flatMap((node) => (node === undefined ? [] : freeInputs(at.graph, node))));
    const from = to && at.pick(outputsFor(at.graph, to));
    if (from === undefined || to === undefined) return at.document;
    return at.done(connect(at.document, at.graphId, at.types, from, to), (document) => document);
  },
  connectAny: (at) => {
    const [origin, target] = [at.node(), at.node()];
    const from = { node: origin?.id ?? "", slot: at.roll(origin?.outputs.length ?? 0) };
    const to = { node: target?.id ?? "", slot: at.roll(target?.inputs.length ?? 0) };
    return at.done(connect(at.document, at.graphId, at.types, from, to), (document) => document);
  },
  connectWidget: (at) => {
    const from = at.pick(outputsOf(at.graph).filter((end) => at.graph.nodes.get(end.node)?.type === PRIMITIVE));
    const node = at.node();
    const shown = node && at.pick(inputsAt(at.document, at.graph, at.types, node).filter(isWidget));
    if (from === undefined || node === undefined || shown === undefined) return at.document;
    const to = { node: node.id, widget: shown.name };
    return at.done(connect(at.document, at.graphId, at.types, from, to), (document) => document);
  },
  boundary: (at) => {
    if (at.graphId === ROOT) return at.document;
    const node = at.node();
    const [from, to] =
      at.roll(2) === 0
        ? [
            { node: INPUT_NODE, slot: at.graph.inputs.length },
            { node: node?.id ?? "", slot: at.roll(4) },
          ]
        : [
            { node: node?.id ?? "", slot: at.roll(2) },
            { node: OUTPUT_NODE, slot: at.graph.outputs.length },
          ];
    return at.done(connect(at.document, at.graphId, at.types, from, to), (document) => document);
  },
  disconnect: (at) => disconnect(at.document, at.graphId, [at.pick(at.graph.links.keys()) ?? ""]),
  reroute: (at) => {
    const link = at.pick(at.graph.links.keys()) ?? "";
    return at.done(insertReroute(at.document, at.graphId, link, at.at()), (each) => each.document);
  },
  addGroup: (at) => addGroup(at.document, at.graphId, at.someNodes(), "group").document,
  setGroup: (at) =>
    setGroup(at.document, at.graphId, at.pick(at.graph.groups.keys()) ?? "", { ...at.at(), title: "t" }),
  moveGroup: (at) =>
    moveGroup(at.document, at.graphId, at.pick(at.graph.groups.keys()) ?? "", at.roll(99), at.roll(99)),
  fitGroup: (at) => fitGroup(at.document, at.graphId, at.pick(at.graph.groups.keys()) ?? ""),
  duplicate: (at) => {
    const keepLinks = at.roll(2) === 0;
    const selection = { nodes: at.someNodes(), groups: new Set(at.graph.groups.keys()) };
    return at.done(duplicate(at.document, at.graphId, selection, { keepLinks }), (pasted) => pasted.document);
  },
  pasteElsewhere: (at) => {
    const clip = copy(at.document, at.graphId, { nodes: at.someNodes() });
    const to = at.pick([ROOT, ...at.document.subgraphs.keys()]) ?? ROOT;
    const from = at.roll(3) === 0 ? { ...clip, documentId: "another" } : clip;
    return at.done(paste(at.document, to, from, at.at()), (pasted) => pasted.document);
  },
  align: (at) =>
    align(at.document, at.graphId, at.someNodes(), at.pick(["left", "bottom", "centerX"] as const) ?? "top"),
  distribute: (at) => distribute(at.document, at.graphId, at.someNodes(), "horizontal"),
  pack: (at) => {
    const chosen = { nodes: at.someNodes(), groups: new Set(at.graph.groups.keys()) };
    return at.done(pack(at.document, at.graphId, chosen, "Packed"), (packed) => packed.document);
  },
  unpack: (at) => at.done(unpack(at.document, at.graphId, at.instance()?.id ?? ""), (unpacked) => unpacked.document),
  unique: (at) => at.done(makeUnique(at.document, at.graphId, at.instance()?.id ?? ""), (document) => document),
  promote: (at) => {
    const instance = at.instance();
    const definition = at.document.subgraphs.get(instance?.type ?? "");
    const inner = definition && at.pick(definition.nodes.values());
    if (instance === undefined || definition === undefined || inner === undefined) return at.document;
    const shown = at.pick(inputsAt(at.document, definition, at.types, inner).filter(isWidget));
    const outcome = promote(at.document, at.graphId, at.types, instance.id, inner.id, shown?.name ?? "");
    return at.done(outcome, (document) => document);
  },
  demote: (at) => {
    const instance = at.instance();
    const [inner, name] = at.pick(instance?.promoted ?? []) ?? ["-1", ""];
    const from = inner === "-1" ? null : inner;
    return at.done(demote(at.document, at.graphId, instance?.id ?? "", from, name), (document) => document);
  },
  addPort: (at) =>
    addPort(at.document, at.inner().id, at.roll(2) === 0 ? "input" : "output", { name: "in", type: "MODEL" }),
  renamePort: (at) => {
    const graph = at.inner();
    return renamePort(at.document, graph.id, "input", at.pick(graph.inputs)?.id ?? "", `renamed ${at.roll(9)}`);
  },
  movePort: (at) => {
    const graph = at.inner();
    return movePort(at.document, graph.id, "input", at.pick(graph.inputs)?.id ?? "", at.roll(graph.inputs.length));
  },
  removePort: (at) => {
    const graph = at.inner();
    const side = at.roll(2) === 0 ? "input" : "output";
    return removePort(at.document, graph.id, side, at.pick(graph[`${side}s`])?.id ?? "");
  },
} satisfies Record<string, Change>;

export type EditKind = keyof typeof CHANGES;

export const EDIT_KINDS = Object.keys(CHANGES) as readonly EditKind[];

/** Kinds after which every node that is still there holds the values it held. */
export const KEEPS_VALUES: ReadonlySet<EditKind> = new Set<EditKind>([
  "add",
  "addInstance",
  "addWired",
  "remove",
  "removeAround",
  "move",
  "moveBy",
  "resize",
  "color",
  "mode",
  "collapse",
  "raise",
  "control",
  "toInput",
  "toWidget",
  "connect",
  "connectAny",
  "disconnect",
  "reroute",
  "addGroup",
  "setGroup",
  "moveGroup",
  "fitGroup",
  "duplicate",
  "align",
  "distribute",
  "pasteElsewhere",
  "addPort",
  "renamePort",
  "movePort",
]);

const USUAL = [
  "CheckpointLoaderSimple",
  "CLIPTextEncode",
  "KSampler",
  "EmptyLatentImage",
  "VAEDecode",
  "SaveImage",
  "LoraLoader",
  "LoadImage",
  "VAEEncode",
  "ConditioningCombine",
  "ImageScale",
  "PreviewImage",
  "RandomNoise",
  "Reroute",
  "PrimitiveNode",
  "Note",
  "TestChoice",
  "TestGrowing",
];

/** Edits that build come up about as often as all others together, so that documents grow. */
const OFTEN: readonly EditKind[] = [
  "add",
  "addWired",
  "connect",
  "connect",
  "connect",
  "connect",
  "connect",
  "promote",
];

export function randomEdit(kinds: readonly EditKind[] = EDIT_KINDS): fc.Arbitrary<RandomEdit> {
  const often = OFTEN.filter((kind) => kinds.includes(kind));
  return fc.record({
    kind: fc.constantFrom(...kinds, ...often, ...often, ...often),
    dice: fc.array(fc.nat(1_000_003), { minLength: 8, maxLength: 13 }),
  });
}

/** The document after an edit; the same document when the dice meant nothing, or the edit was refused. */
export function applyEdit(document: Document, edit: RandomEdit, types: NodeTypes): Document {
  const change: Change = CHANGES[edit.kind];
  return change(new Place(document, types, edit.dice));
}

/** Adds a node with a title that no other has. */
function added(at: Place, type: string): nodes.Added {
  const { document, id } = nodes.addNode(at.document, at.graphId, at.types, type, at.at());
  return { document: nodes.setTitle(document, at.graphId, id, `${at.graphId} ${id}`), id };
}

function outputsOf(graph: Graph): readonly OutputEnd[] {
  const ofNodes = [...graph.nodes.values()].flatMap((node) => node.outputs.map((_, slot) => ({ node: node.id, slot })));
  return [...ofNodes, ...graph.inputs.map((_, slot) => ({ node: INPUT_NODE, slot }))];
}

/** The inputs of a node that nothing feeds; all of them when everything is wired. */
function freeInputs(graph: Graph, node: Node): readonly SlotEnd[] {
  const all = node.inputs.map((_, slot) => ({ node: node.id, slot }));
  const free = all.filter((end) => linkInto(graph, end.node, end.slot) === null);
  return free.length > 0 ? free : all;
}

function outputsFor(graph: Graph, to: SlotEnd): readonly OutputEnd[] {
  const wanted = graph.nodes.get(to.node)?.inputs[to.slot]?.type ?? "*";
  return outputsOf(graph).filter((end) => {
    const given = graph.nodes.get(end.node)?.outputs[end.slot]?.type ?? graph.inputs[end.slot]?.type ?? "*";
    return end.node !== to.node && areCompatible(given, wanted);
  });
}
