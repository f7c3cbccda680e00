/** The ends a wire could go to from here. */

import { type Document, type Graph, INPUT_NODE, OUTPUT_NODE } from "@/graph/document";
import { connect } from "@/graph/edits/links";
import type { InputEnd, OutputEnd } from "@/graph/links";
import type { NodeTypes } from "@/graph/node_type";
import type { Outcome } from "@/graph/reason";
import { widgetsAt } from "@/graph/node_inputs";
import { canConnect } from "@/graph/rules";
import { t } from "@/texts/index";
import { titleOf } from "@/view/node_label";

import { inputName, outputName } from "./end_names";

/** The end one starts from. */
export type End =
  | { readonly kind: "input"; readonly end: InputEnd; readonly name: string }
  | { readonly kind: "output"; readonly end: OutputEnd; readonly name: string };

export interface Candidate {
  readonly key: string;
  readonly node: string;
  readonly id: string;
  readonly slot: string;
  readonly end: InputEnd | OutputEnd;
}

/** Everything that may be wired to an end, in the order of the document. */
export function candidatesFor(
  document: Document,
  graph: Graph,
  types: NodeTypes,
  { kind, end }: End,
): readonly Candidate[] {
  const all = kind === "input" ? outputsIn(document, graph, types) : inputsIn(document, graph, types);
  return all.filter((each) => {
    const [from, to] = ends(kind, end, each.end);
    return canConnect(document, graph.id, types, from, to) === null;
  });
}

export function join(
  document: Document,
  graph: Graph,
  types: NodeTypes,
  { kind, end }: End,
  to: Candidate,
): Outcome<Document> {
  const [output, input] = ends(kind, end, to.end);
  return connect(document, graph.id, types, output, input);
}

function ends(kind: End["kind"], here: InputEnd | OutputEnd, there: InputEnd | OutputEnd): [OutputEnd, InputEnd] {
  const [from, to] = kind === "input" ? [there, here] : [here, there];
  return [from as OutputEnd, to];
}

function outputsIn(document: Document, graph: Graph, types: NodeTypes): readonly Candidate[] {
  const ports = graph.inputs.map((port, slot) => ({
    key: `in ${port.id}`,
    node: t("outline.boundary_in"),
    id: "",
    slot: port.label ?? port.name,
    end: { node: INPUT_NODE, slot },
  }));
  const outputs = [...graph.nodes.values()].flatMap((node) =>
    node.outputs.map((_, slot) => ({
      key: `${node.id} ${String(slot)}`,
      node: titleOf(node, document, types),
      id: node.id,
      slot: outputName(node, slot),
      end: { node: node.id, slot },
    })),
  );
  return [...ports, ...outputs];
}

function inputsIn(document: Document, graph: Graph, types: NodeTypes): readonly Candidate[] {
  const ports = graph.outputs.map((port, slot) => ({
    key: `out ${port.id}`,
    node: t("outline.boundary_out"),
    id: "",
    slot: port.label ?? port.name,
    end: { node: OUTPUT_NODE, slot },
  }));
  const inputs = [...graph.nodes.values()].flatMap((node): Candidate[] => {
    const name = { node: titleOf(node, document, types), id: node.id };
    const slots = node.inputs.map((_, slot) => ({
      ...name,
      key: `${node.id} ${String(slot)}`,
      slot: inputName(node, slot),
      end: { node: node.id, slot },
    }));
    const taken = new Set(node.inputs.map((each) => each.name));
    const widgets = widgetsAt(document, graph, types, node)
      .filter(({ input, inner }) => inner === null && !taken.has(input.name))
      .map(({ input }) => ({
        ...name,
        key: `${node.id} ${input.name}`,
        slot: input.name,
        end: { node: node.id, widget: input.name },
      }));
    return [...slots, ...widgets];
  });
  return [...ports, ...inputs];
}
