/**
 * The shown graph as a list: every node, what feeds it, what it feeds, and its settings. A second way to do what the
 * canvas does, for screen readers and for those who like lists. Plain lists and buttons, not an ARIA tree: a tree's
 * items may hold no fields, and these do.
 */

import { Plus, SearchX, Workflow } from "lucide-react";
import { useMemo, useState } from "react";

import type { Document, Graph, Node, NodeId } from "@/graph/document";
import { readingOrder, rectOf } from "@/graph/geometry";
import { useNodeTypes } from "@/state/node_types";
import { shownGraph, useTab } from "@/state/workbench";
import { plural, t } from "@/texts/index";
import { EmptyState } from "@/ui/EmptyState";
import { IconButton } from "@/ui/IconButton";
import { Panel } from "@/ui/Panel";
import { SearchField } from "@/ui/SearchField";
import { titleOf } from "@/view/node_label";

import { freePlace } from "../palette/add";
import { openPalette } from "../palette/request";
import styles from "./Outline.module.css";
import { OutlineNode } from "./OutlineNode";

export function Outline({ onClose }: { readonly onClose: () => void }) {
  const document = useTab((tab) => tab.history.present);
  const graph = useTab(shownGraph);
  const [query, setQuery] = useState("");
  const [open, setOpen] = useState<ReadonlySet<NodeId>>(new Set());
  const nodes = useSought(document, graph, query);
  const toggle = (id: NodeId): void => {
    const next = new Set(open);
    if (!next.delete(id)) next.add(id);
    setOpen(next);
  };
  const add = (
    <IconButton
      icon={Plus}
      label={t("outline.add")}
      isDisabled={graph === null}
      onPress={() => openPalette({ at: freePlace(), screen: null, isAnywhere: true })}
    />
  );
  return (
    <Panel title={t("drawer.outline")} actions={add} onClose={onClose}>
      <div className={styles.top}>
        <SearchField value={query} onChange={setQuery} label={t("outline.search")} placeholder={t("outline.search")} />
        {graph !== null && (
          <p className={styles.count}>
            {plural("outline.nodes", graph.nodes.size)} · {plural("outline.links", graph.links.size)}
          </p>
        )}
      </div>
      {nodes.length === 0 ? (
        <Nothing isSearched={query.trim() !== ""} />
      ) : (
        <ul className={styles.list}>
          {document !== null &&
            graph !== null &&
            nodes.map((node) => (
              <OutlineNode
                key={node.id}
                document={document}
                graph={graph}
                node={node}
                isOpen={open.has(node.id)}
                onToggle={toggle}
              />
            ))}
        </ul>
      )}
    </Panel>
  );
}

function Nothing({ isSearched }: { readonly isSearched: boolean }) {
  if (isSearched) return <EmptyState icon={SearchX} title={t("outline.nothing_found")} />;
  return <EmptyState icon={Workflow} title={t("outline.empty")} text={t("outline.empty_text")} />;
}

/** The nodes whose name, type or number holds what is sought, as one reads the canvas. */
function useSought(document: Document | null, graph: Graph | null, query: string): readonly Node[] {
  const types = useNodeTypes((state) => state.types);
  return useMemo(() => {
    if (document === null || graph === null) return [];
    const sought = query.trim().toLowerCase();
    const found = [...graph.nodes.values()].filter((node) =>
      `${titleOf(node, document, types)} ${node.type} #${node.id}`.toLowerCase().includes(sought),
    );
    const placed = found.map((node) => ({
      ...rectOf(node, { ...FLAT, width: node.width, height: node.height }),
      node,
    }));
    return readingOrder(placed).map((each) => each.node);
  }, [document, graph, types, query]);
}

const FLAT = { form: "box", inputs: [], outputs: [], rows: [], widgets: [], media: null } as const;
