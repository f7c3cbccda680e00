/** The name of a sub-graph's input or output, seen from inside: it can be changed in place, and the port taken away. */

import { Pencil, Trash2 } from "lucide-react";
import { useState } from "react";

import type { Port } from "@/graph/document";
import { removePort, renamePort, type Side } from "@/graph/edits/subgraphs";
import { editGraph } from "@/state/workbench";
import { t } from "@/texts/index";
import { ContextMenu, type MenuItem } from "@/ui/Menu";

import { Rename } from "./Rename";
import styles from "./PortName.module.css";

interface PortNameProps {
  readonly port: Port;
  readonly side: Side;
}

export function PortName({ port, side }: PortNameProps) {
  const [isRenaming, setRenaming] = useState(false);
  const [menuAt, setMenuAt] = useState<{ readonly x: number; readonly y: number } | null>(null);
  const name = port.label ?? port.name;
  if (isRenaming) {
    const done = (text: string | null): void => {
      setRenaming(false);
      if (text !== null && text !== "") {
        editGraph("edit.port", (document, graph) => renamePort(document, graph, side, port.id, text));
      }
    };
    return <Rename value={name} label={t("canvas.ports.name")} onDone={done} />;
  }
  const items: readonly MenuItem[] = [
    { id: "rename", label: t("canvas.ports.rename", { name }), icon: Pencil, onAction: () => setRenaming(true) },
    {
      id: "remove",
      label: t("canvas.ports.remove", { name }),
      icon: Trash2,
      tone: "danger",
      onAction: () => editGraph("edit.port", (document, graph) => removePort(document, graph, side, port.id)),
    },
  ];
  return (
    <>
      <button
        type="button"
        className={`${styles.name} nodrag nopan`}
        aria-haspopup="menu"
        onClick={({ currentTarget }) => {
          const { left, bottom } = currentTarget.getBoundingClientRect();
          setMenuAt({ x: left, y: bottom });
        }}
        onDoubleClick={(event) => {
          event.stopPropagation();
          setMenuAt(null);
          setRenaming(true);
        }}
        onContextMenu={(event) => {
          event.preventDefault();
          event.stopPropagation();
          setMenuAt({ x: event.clientX, y: event.clientY });
        }}
      >
        {name}
      </button>
      <ContextMenu at={menuAt} items={items} onClose={() => setMenuAt(null)} />
    </>
  );
}
