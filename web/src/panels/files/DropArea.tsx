/** Files dropped anywhere on the window are opened; a node dragged from the catalogue is added where it is dropped. */

import { FileUp } from "lucide-react";
import { type DragEvent, type ReactNode, useRef, useState } from "react";

import { openFiles } from "@/state/opening";
import { activeTab } from "@/state/workbench";
import { t } from "@/texts/index";
import { Icon } from "@/ui/Icon";
import { useCanvas } from "@/view/canvas_store";

import { addFromPalette } from "../palette/add";
import { DRAGGED_NODE } from "../palette/dragged";
import styles from "./DropArea.module.css";

export function DropArea({ children }: { readonly children: ReactNode }) {
  const [isOver, setOver] = useState(false);
  const depth = useRef(0);
  const enter = (event: DragEvent, step: 1 | -1): void => {
    if (!hasFiles(event)) return;
    depth.current = Math.max(0, depth.current + step);
    setOver(depth.current > 0);
  };
  const drop = (event: DragEvent): void => {
    depth.current = 0;
    setOver(false);
    if (event.defaultPrevented) return;
    if (hasFiles(event)) {
      event.preventDefault();
      void openFiles([...event.dataTransfer.files]);
    } else if (hasNode(event)) {
      event.preventDefault();
      dropNode(event);
    }
  };
  return (
    <div
      className={styles.area}
      onDragEnter={(event) => enter(event, 1)}
      onDragLeave={(event) => enter(event, -1)}
      onDragOver={over}
      onDrop={drop}
    >
      {children}
      {isOver && (
        <div className={styles.veil}>
          <p className={styles.words}>
            <Icon icon={FileUp} size={22} />
            {t("opening.drop")}
          </p>
        </div>
      )}
    </div>
  );
}

function over(event: DragEvent): void {
  // What lies below (a file choice, the mask) may take the files itself.
  if (event.defaultPrevented || !(hasFiles(event) || hasNode(event))) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
}

function dropNode(event: DragEvent): void {
  const isOnCanvas = event.target instanceof Element && event.target.closest(".react-flow") !== null;
  if (!isOnCanvas || activeTab() === null) return;
  const at = useCanvas.getState().screenToGraph({ x: event.clientX, y: event.clientY });
  addFromPalette(event.dataTransfer.getData(DRAGGED_NODE), { at });
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer.types.includes("Files");
}

function hasNode(event: DragEvent): boolean {
  return event.dataTransfer.types.includes(DRAGGED_NODE);
}
