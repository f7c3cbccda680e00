/** The inside of a node in the outline: what goes in, what is set, what comes out; all of it can be changed here. */

import { Link2, Unlink } from "lucide-react";
import { useState } from "react";

import type { Document, Graph, Link, Node } from "@/graph/document";
import { disconnect } from "@/graph/edits/links";
import { linkInto, linksFrom } from "@/graph/links";
import { widgetsAt } from "@/graph/node_inputs";
import { useNodeTypes } from "@/state/node_types";
import { useProblemsOf } from "@/state/problems";
import { editGraph } from "@/state/workbench";
import { t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { IconButton } from "@/ui/IconButton";
import { Widget } from "@/widgets/Widget";

import { ConnectDialog } from "./ConnectDialog";
import { inputName, outputName, sourceName, targetName } from "./end_names";
import type { End } from "./ends";
import styles from "./Outline.module.css";

interface DetailProps {
  readonly document: Document;
  readonly graph: Graph;
  readonly node: Node;
  readonly title: string;
}

export function NodeDetail({ document, graph, node, title }: DetailProps) {
  const [end, setEnd] = useState<End | null>(null);
  return (
    <div className={styles.detail}>
      {node.inputs.length > 0 && (
        <Part name={t("outline.inputs")}>
          {node.inputs.map((slot, i) =>
            slot.isWidget && linkInto(graph, node.id, i) === null ? null : (
              <InputRow
                key={slot.name}
                document={document}
                graph={graph}
                node={node}
                slot={i}
                onConnect={() => setEnd({ kind: "input", end: { node: node.id, slot: i }, name: inputName(node, i) })}
              />
            ),
          )}
        </Part>
      )}
      <Settings document={document} graph={graph} node={node} title={title} />
      {node.outputs.length > 0 && (
        <Part name={t("outline.outputs")}>
          {node.outputs.map((_, i) => (
            <OutputRow
              key={`${node.id} ${String(i)}`}
              document={document}
              graph={graph}
              node={node}
              slot={i}
              onConnect={() => setEnd({ kind: "output", end: { node: node.id, slot: i }, name: outputName(node, i) })}
            />
          ))}
        </Part>
      )}
      {end !== null && <ConnectDialog document={document} graph={graph} end={end} onClose={() => setEnd(null)} />}
    </div>
  );
}

function Part({ name, children }: { readonly name: string; readonly children: React.ReactNode }) {
  return (
    <section className={styles.part}>
      <h3>{name}</h3>
      <ul>{children}</ul>
    </section>
  );
}

interface RowProps {
  readonly document: Document;
  readonly graph: Graph;
  readonly node: Node;
  readonly slot: number;
  readonly onConnect: () => void;
}

function InputRow({ document, graph, node, slot, onConnect }: RowProps) {
  const types = useNodeTypes((state) => state.types);
  const link = linkInto(graph, node.id, slot);
  const name = inputName(node, slot);
  return (
    <li className={styles.slot}>
      <span className={styles.slotLine}>
        <Socket name={name} type={node.inputs[slot]?.type ?? "*"} />
        {link === null && <span className={styles.free}>{t("outline.free")}</span>}
        {link === null && <ConnectButton name={name} onPress={onConnect} />}
      </span>
      {link !== null && (
        <div className={styles.ends}>
          <Wire link={link} name={sourceName(document, graph, types, link)} />
        </div>
      )}
    </li>
  );
}

function ConnectButton({ name, onPress }: { readonly name: string; readonly onPress: () => void }) {
  return (
    <Button size="sm" variant="quiet" icon={Link2} aria-label={t("outline.connect_to", { name })} onPress={onPress}>
      {t("outline.connect")}
    </Button>
  );
}

function OutputRow({ document, graph, node, slot, onConnect }: RowProps) {
  const types = useNodeTypes((state) => state.types);
  const name = outputName(node, slot);
  const links = linksFrom(graph, node.id, slot);
  return (
    <li className={styles.slot}>
      <span className={styles.slotLine}>
        <Socket name={name} type={node.outputs[slot]?.type ?? "*"} />
        <ConnectButton name={name} onPress={onConnect} />
      </span>
      {links.length > 0 && (
        <ul className={styles.ends}>
          {links.map((link) => (
            <li key={link.id}>
              <Wire link={link} name={targetName(document, graph, types, link)} />
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

function Wire({ link, name }: { readonly link: Link; readonly name: string }) {
  const cut = (): void => editGraph("edit.disconnect", (document, graph) => disconnect(document, graph, [link.id]));
  return (
    <span className={styles.wire}>
      <span className={styles.other}>{name}</span>
      <IconButton icon={Unlink} size="sm" label={t("outline.disconnect", { name })} onPress={cut} />
    </span>
  );
}

function Socket({ name, type }: { readonly name: string; readonly type: string }) {
  return (
    <span className={styles.socket}>
      <span className={styles.dot} style={{ background: `var(--type-${type}, var(--type-any))` }} />
      <span>{name}</span>
      {type !== name && <span className={styles.type}>{type}</span>}
    </span>
  );
}

/** The widgets; those that a wire overrides are shown with the wire. */
function Settings({ document, graph, node, title }: DetailProps) {
  const types = useNodeTypes((state) => state.types);
  const problems = useProblemsOf(document.id);
  const widgets = widgetsAt(document, graph, types, node).filter(({ input }) => {
    const slot = node.inputs.findIndex((each) => each.name === input.name);
    return slot < 0 || linkInto(graph, node.id, slot) === null;
  });
  if (widgets.length === 0) return null;
  return (
    <section className={styles.part} aria-label={t("outline.settings_of", { name: title })}>
      <h3>{t("outline.settings")}</h3>
      {widgets.map(({ input, inner }) => {
        const place = inner === null ? { graph, node } : insideOf(document, node, inner);
        if (place === null) return null;
        const problem = problems.find((each) => each.input === input.name && each.node.endsWith(place.node.id));
        return (
          <div key={`${inner ?? ""} ${input.name}`} className={styles.widget}>
            <Widget
              documentId={document.id}
              graphId={place.graph.id}
              node={place.node}
              input={input}
              isDisabled={false}
              problem={problem?.message ?? null}
            />
          </div>
        );
      })}
    </section>
  );
}

function insideOf(document: Document, instance: Node, inner: string): { graph: Graph; node: Node } | null {
  const graph = document.subgraphs.get(instance.type);
  const node = graph?.nodes.get(inner);
  return graph === undefined || node === undefined ? null : { graph, node };
}
