/**
 * The values of one node's widgets: out of its entry in a file into a document, by name, and back into the file.
 *
 * Where the type of a node is known its values have names, and are written as a row in the order of the type. What was
 * written is read back before it is trusted: where a row would be read as something else, the names are written too.
 * Values of nodes nobody knows stay as the file has them.
 */

import { DRAWN_KINDS, DRAWN_VALUE, inputSlot } from "@/graph/create";
import { type Control, type Graph, INPUT_NODE, type InputSlot, type Node, PRIMITIVE, REROUTE } from "@/graph/document";
import type { InputType, NodeType, NodeTypes } from "@/graph/node_type";
import { isAutogrow } from "@/graph/object_info";
import { isObject, type JsonObject, sameValue, type Value } from "@/graph/value";
import { inputsOf, isControl, isWidget } from "@/graph/widgets";

import { type Fed, type FileGraph, type FileNode, own } from "./file_graph";
import { groupName } from "./file_groups";
import { promotedValues } from "./file_links";
import {
  controlFollows,
  inOrder,
  literals,
  Named,
  readWidgets,
  settled,
  type Source,
  walk,
  type Widget,
  widgetValues,
} from "./file_widgets";

const NAMED = "widgets_values_named";
const ROW = "widgets_values";
const CONTROL = "control_after_generate";

/** The property of ours that holds what files have no other place for. */
export const ASIDE = "latentwire";

/** The part of a sub-graph that says what its instances' values mean. */
export type Boundary = Pick<FileGraph, "inputs" | "fed">;

/** What a node's `type` turns out to be. */
export type Kind =
  | { readonly is: "drawn" | "unknown" }
  | { readonly is: "known"; readonly type: NodeType }
  | { readonly is: "instance"; readonly boundary: Boundary };

export function kindOf(
  typeId: string,
  types: NodeTypes,
  boundaryOf: (id: string) => Boundary | undefined,
  groups: ReadonlyMap<string, unknown>,
): Kind {
  if (DRAWN_KINDS.has(typeId)) return { is: "drawn" };
  if (groups.has(groupName(typeId))) return { is: "unknown" };
  const boundary = boundaryOf(typeId);
  if (boundary !== undefined) return { is: "instance", boundary };
  const type = types.get(typeId);
  return type === undefined ? { is: "unknown" } : { is: "known", type };
}

/** The boundary of a sub-graph in a document. */
export function boundaryOf(graph: Graph): Boundary {
  const known = boundaries.get(graph);
  if (known !== undefined) return known;
  const fed = new Map<number, Fed[]>();
  for (const link of graph.links.values()) {
    const slot = link.origin === INPUT_NODE ? graph.nodes.get(link.target)?.inputs[link.targetSlot] : undefined;
    if (slot === undefined) continue;
    const { name, type, isWidget } = slot;
    const one = { node: link.target, slot: { name, type, isWidget, link: link.id } };
    const known = fed.get(link.originSlot);
    if (known === undefined) fed.set(link.originSlot, [one]);
    else known.push(one);
  }
  const made = { inputs: graph.inputs.map((port) => port.name), fed };
  boundaries.set(graph, made);
  return made;
}

const boundaries = new WeakMap<Graph, Boundary>();

// ------------------------------------------------------------------------------------------------------------ reading

/** The fields of a document's node that hold values; `rest` has what belongs back into the file beside them. */
export interface Values extends Pick<Node, "values" | "controls" | "raw"> {
  readonly rest: JsonObject;
}

export function readValues(source: JsonObject, node: FileNode, kind: Kind): Values {
  const read = readFields(source, node, kind);
  const properties = source["properties"];
  const aside = isObject(properties) ? properties[ASIDE] : null;
  if (!isObject(aside)) return read;
  const [values, controls] = [aside["values"], aside["controls"]];
  const told = Object.entries(isObject(controls) ? controls : {}).filter((each): each is [string, Control] => {
    return isControl(each[1]);
  });
  return {
    ...read,
    values: { ...(isObject(values) ? values : {}), ...read.values },
    controls: { ...read.controls, ...Object.fromEntries(told) },
  };
}

function readFields(source: JsonObject, node: FileNode, kind: Kind): Values {
  switch (kind.is) {
    case "drawn":
      return readDrawn(source, node);
    case "known":
      return readKnown(source, node, kind.type);
    case "instance":
      return readInstance(source, node, kind.boundary);
    case "unknown":
      return readUnknown(source);
  }
}

/** A note's text, a primitive's value and what happens to it after a run. */
function readDrawn(source: JsonObject, node: FileNode): Values {
  const [value, follower] = node.values ?? [];
  if (node.type === REROUTE || value === undefined) return readUnknown(source);
  const hasControl = node.type === PRIMITIVE && isControl(follower);
  const more = (node.values ?? []).slice(hasControl ? 2 : 1);
  return {
    values: { [DRAWN_VALUE]: value },
    controls: hasControl ? { [DRAWN_VALUE]: follower } : {},
    raw: null,
    rest: more.length > 0 ? { [ROW]: more } : {},
  };
}

function readKnown(source: JsonObject, node: FileNode, type: NodeType): Values {
  const read = readWidgets(node, type);
  const values = Object.fromEntries(read.widgets.flatMap(({ input, value }) => named(input.name, value)));
  if (node.named === null) {
    const rest = read.rest.length > 0 ? { [ROW]: read.rest } : {};
    const told = read.widgets.filter(({ input }) => controlFollows(input));
    const controls = told.map(({ input }) => [input.name, read.controls.get(input.name) ?? "fixed"] as const);
    return { values, controls: Object.fromEntries(controls), raw: null, rest };
  }
  const row = node.values === null ? null : readWidgets({ ...node, named: null }, type);
  const controls = read.widgets
    .filter(({ input }) => controlFollows(input))
    .map(({ input }, i) => {
      const told = i === 0 ? node.named?.[CONTROL] : null;
      return [input.name, isControl(told) ? told : (row?.controls.get(input.name) ?? "fixed")] as const;
    });
  const surplus = Object.entries(node.named).filter(([name]) => !Object.hasOwn(values, name) && name !== CONTROL);
  const isSame = row === null || sameValue(literals(row.widgets), literals(read.widgets));
  return { values, controls: Object.fromEntries(controls), raw: null, rest: keptNames(source, surplus, isSame) };
}

/**
 * Says that a file has names, to write them again, and holds those that are no widget's. `isSame`: the row beside them
 * says the same; where it does not, it could not, and names are written without being told to.
 */
function keptNames(source: JsonObject, surplus: readonly (readonly [string, Value])[], isSame: boolean): JsonObject {
  const key = isObject(source[NAMED]) ? NAMED : ROW;
  return isSame || surplus.length > 0 ? { [key]: Object.fromEntries(surplus) } : {};
}

function readInstance(source: JsonObject, node: FileNode, boundary: Boundary): Values {
  const found = promotedValues(node, boundary);
  if (node.named === null) {
    const row = node.values ?? [];
    const isLost = Object.keys(found).length === 0 && row.length > 0;
    return { values: found, controls: instanceControls(node, boundary), raw: isLost ? row : null, rest: {} };
  }
  const [own, surplus]: [string, Value][][] = [[], []];
  for (const each of Object.entries(found)) (boundary.inputs.includes(each[0]) ? own : surplus)?.push(each);
  const values = Object.fromEntries(own ?? []);
  const isSame = node.values === null || sameValue(promotedValues({ ...node, named: null }, boundary), values);
  return { values, controls: {}, raw: null, rest: keptNames(source, surplus ?? [], isSame) };
}

/** What happens after a run to values an instance holds in a plain row: it stands behind them, as in any node. */
function instanceControls(node: FileNode, boundary: Boundary): Record<string, Control> {
  const found: [string, Control][] = [];
  let place = 0;
  if (node.proxies !== null) return {};
  boundary.inputs.forEach((name, index) => {
    if (!feedsWidget(boundary, index)) return;
    const follower = node.values?.[place + 1];
    if (isControl(follower)) found.push([name, follower]);
    place += isControl(follower) ? 2 : 1;
  });
  return Object.fromEntries(found);
}

function readUnknown(source: JsonObject): Values {
  const names = source[NAMED];
  const hasNames = isObject(names) && Object.keys(names).length > 0;
  return {
    values: hasNames ? names : {},
    controls: {},
    raw: source[ROW] ?? null,
    rest: hasNames || !isObject(names) ? {} : { [NAMED]: names },
  };
}

// ------------------------------------------------------------------------------------------------------------ writing

/** The fields of a node's entry in a file that hold its values, and what goes beside them into its properties. */
interface Written {
  readonly fields: JsonObject;
  readonly aside: JsonObject | null;
}

export function writeValues(node: Node, kind: Kind): Written {
  const known = kind.is === "known" ? written.get(node) : undefined;
  if (known !== undefined && kind.is === "known" && known.type === kind.type) return known;
  const fields = writeFields(node, kind);
  const made = { fields, aside: asideOf(node, fields, kind) };
  // Nodes are frozen, and most are the same from one run to the next.
  if (kind.is === "known") written.set(node, { ...made, type: kind.type });
  return made;
}

const written = new WeakMap<Node, Written & { readonly type: NodeType }>();

/**
 * What the form has no place for: values of an option that is not chosen now, what happens after a run to values a
 * sub-graph's instance holds.
 */
function asideOf(node: Node, fields: JsonObject, kind: Kind): JsonObject | null {
  const drawn = { ...drawnNode(node, kind), ...valuesIn(fields), proxies: node.promoted };
  const read = readFields(fields, drawn, kind);
  const values = Object.entries(node.values).filter(([name]) => !Object.hasOwn(read.values, name));
  const controls = Object.entries(node.controls).filter(([name, control]) => own(read.controls, name) !== control);
  if (values.length === 0 && controls.length === 0) return null;
  return { values: Object.fromEntries(values), controls: Object.fromEntries(controls) };
}

function valuesIn(fields: JsonObject): Pick<FileNode, "values" | "named"> {
  const [row, names] = [fields[ROW], fields[NAMED]];
  return {
    values: Array.isArray(row) ? (row as readonly Value[]) : null,
    named: isObject(names) ? names : isObject(row) ? row : null,
  };
}

function drawnNode(node: Node, kind: Kind): FileNode {
  const inputs = slotsInFile(node, kind).map(({ name, type, isWidget }) => ({ name, type, isWidget, link: null }));
  const { id, type, title, mode } = node;
  return { id, type, title, mode, inputs, outputs: [], values: null, named: null, proxies: null };
}

/** The inputs a file lists: also those that only say how many widgets a group has grown to. */
export function slotsInFile(node: Node, kind: Kind): readonly InputSlot[] {
  if (kind.is !== "known") return node.inputs;
  const groups = kind.type.inputs.filter(isAutogrow).map((each) => `${each.name}.`);
  if (groups.length === 0) return node.inputs;
  const names = new Set(node.inputs.map((slot) => slot.name));
  const grown = inputsOf(kind.type, node.values, node.inputs).filter(
    (each) => isWidget(each) && !names.has(each.name) && groups.some((group) => each.name.startsWith(group)),
  );
  return [...node.inputs, ...grown.map(inputSlot)];
}

function writeFields(node: Node, kind: Kind): JsonObject {
  switch (kind.is) {
    case "drawn":
      return writeDrawn(node);
    case "known":
      return node.raw === null ? writeKnown(node, kind) : writeUnknown(node);
    case "instance":
      return writeInstance(node, kind.boundary);
    case "unknown":
      return writeUnknown(node);
  }
}

function writeDrawn(node: Node): JsonObject {
  const value = own(node.values, DRAWN_VALUE);
  if (value === undefined) return writeUnknown(node);
  const control = node.controls[DRAWN_VALUE];
  return { [ROW]: [value, ...(control === undefined ? [] : [control]), ...tailOf(node)] };
}

function writeKnown(node: Node, kind: Kind & { readonly is: "known" }): JsonObject {
  const { type } = kind;
  const drawn = drawnNode(node, kind);
  const row = new Row(node);
  const widgets = walk(inOrder(type.inputs), drawn.inputs, row);
  const tail = tailOf(node);
  const rows = [...row.short(widgets), ...(tail.length > 0 ? [[...row.values, ...tail]] : []), row.values];
  const fitting = rows.find((each) => isReadAs({ ...drawn, values: each }, node, type, widgets));
  const names = (): JsonObject => byName(node, widgets);
  if (isObject(node.rest[ROW])) return { [ROW]: { ...node.rest[ROW], ...names() } };
  const needsNames = fitting === undefined || isObject(node.rest[NAMED]);
  const kept = node.rest[NAMED];
  return {
    ...((fitting ?? row.values).length > 0 ? { [ROW]: fitting ?? row.values } : {}),
    ...(needsNames ? { [NAMED]: { ...(isObject(kept) ? kept : {}), ...names() } } : {}),
  };
}

/** Whether a row of values says what the document says. */
function isReadAs(drawn: FileNode, node: Node, type: NodeType, widgets: readonly Widget[]): boolean {
  if (!sameValue(widgetValues(drawn, type).values, literals(widgets))) return false;
  const { controls } = readWidgets(drawn, type);
  return [...controls].every(([name, control]) => (own(node.controls, name) ?? "fixed") === control);
}

/** Collects values in the order a file has them, with what stands between them. */
class Row implements Source {
  readonly dummies = false;
  readonly buttons = true;
  readonly values: Value[] = [];
  private firstMissing: number | null = null;
  private readonly source: Named;

  constructor(private readonly node: Node) {
    this.source = new Named(node.values);
  }

  take(input: InputType): Value | undefined {
    const value = settled(input, this.source.take(input));
    if (value === undefined) this.firstMissing ??= this.values.length;
    this.values.push(value ?? null);
    if (controlFollows(input)) {
      this.values.push(this.node.controls[input.name] ?? "fixed");
      if (input.type === "COMBO") this.values.push(""); // the text its choices are narrowed with
    }
    return value;
  }

  skip(count: number): void {
    for (let n = 0; n < count; n++) this.values.push("image"); // ComfyUI: what its upload buttons hold
  }

  /** The row up to the first widget that has no value, where there is one. */
  short(widgets: readonly Widget[]): Value[][] {
    const isWhole = this.firstMissing === null || widgets.every((each) => each.value !== undefined);
    return isWhole ? [] : [this.values.slice(0, this.firstMissing ?? 0)];
  }
}

function byName(node: Node, widgets: readonly Widget[]): JsonObject {
  const values = widgets.flatMap(({ input, value }) => named(input.name, value));
  const first = widgets.find(({ input }) => controlFollows(input));
  const control = first === undefined ? [] : named(CONTROL, node.controls[first.input.name] ?? "fixed");
  return Object.fromEntries([...values, ...control]);
}

function writeInstance(node: Node, boundary: Boundary): JsonObject {
  const row = instanceRow(node, boundary);
  const [kept, keptRow] = [node.rest[NAMED], node.rest[ROW]];
  if (isObject(keptRow)) return { [ROW]: { ...keptRow, ...node.values } };
  const isEmpty = Object.keys(node.values).length === 0;
  if (isEmpty && !isObject(kept)) return node.raw === null ? {} : { [ROW]: node.raw };
  const drawn = { ...drawnNode(node, { is: "unknown" }), values: row, proxies: node.promoted };
  const fits = !isObject(kept) && sameValue(promotedValues(drawn, boundary), node.values);
  return {
    ...(isEmpty ? {} : { [ROW]: row }),
    ...(fits ? {} : { [NAMED]: { ...(isObject(kept) ? kept : {}), ...node.values } }),
  };
}

function instanceRow(node: Node, boundary: Boundary): Value[] {
  if (node.promoted !== null) {
    return node.promoted.map(([inner, name]) => (inner === "-1" ? (own(node.values, name) ?? null) : null));
  }
  const row: Value[] = [];
  for (const [index, name] of boundary.inputs.entries()) {
    if (!feedsWidget(boundary, index)) continue;
    const value = own(node.values, name);
    if (value === undefined) break;
    row.push(value);
    const control = Object.hasOwn(node.controls, name) ? node.controls[name] : undefined;
    if (control !== undefined) row.push(control);
  }
  return row;
}

function feedsWidget(boundary: Boundary, index: number): boolean {
  return boundary.fed.get(index)?.some((each) => each.slot.isWidget) === true;
}

/** Nobody knows its widgets: what came goes back, and values that have names go by their names. */
function writeUnknown(node: Node): JsonObject {
  const names = node.values;
  return {
    ...(node.raw === null ? {} : { [ROW]: node.raw }),
    ...(Object.keys(names).length === 0 && !isObject(node.rest[NAMED]) ? {} : { [NAMED]: names }),
  };
}

/** What stood in the row behind all values its type knows. */
function tailOf(node: Node): readonly Value[] {
  const tail = node.rest[ROW];
  return Array.isArray(tail) ? (tail as readonly Value[]) : [];
}

function named<T>(name: string, value: T | undefined): [string, T][] {
  return value === undefined ? [] : [[name, value]];
}
