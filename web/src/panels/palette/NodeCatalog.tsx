/** Every kind of node, by category or searched; dragged onto the canvas, or added by a press. */

import { ChevronRight } from "lucide-react";
import { type DragEvent, useDeferredValue, useMemo, useState } from "react";

import { type Hit, search } from "@/graph/search";
import { useNodeTypes } from "@/state/node_types";
import { useTab } from "@/state/workbench";
import { plural, t } from "@/texts/index";
import { EmptyState } from "@/ui/EmptyState";
import { Icon } from "@/ui/Icon";
import { Panel } from "@/ui/Panel";
import { SearchField } from "@/ui/SearchField";

import { addAtFreePlace } from "./add";
import { type Category, categoriesOf } from "./categories";
import { DRAGGED_NODE } from "./dragged";
import styles from "./NodeCatalog.module.css";
import { NodeName } from "./NodeName";
import { useRecent } from "./recent";

export function NodeCatalog({ onClose }: { readonly onClose: () => void }) {
  const [query, setQuery] = useState("");
  const sought = useDeferredValue(query);
  const types = useNodeTypes((state) => state.types);
  const recent = useRecent((state) => state.recent);
  const hits = useMemo(() => search(types, sought, {}, recent), [types, sought, recent]);
  const tree = useMemo(() => categoriesOf(hits), [hits]);
  return (
    <Panel title={t("drawer.nodes")} onClose={onClose}>
      <div className={styles.search}>
        <SearchField value={query} onChange={setQuery} label={t("palette.search")} placeholder={t("palette.search")} />
      </div>
      {hits.length === 0 && <EmptyState icon={ChevronRight} title={t("palette.nothing")} />}
      {sought.trim() === "" ? (
        <div className={styles.tree}>
          {tree.map((category) => (
            <CategoryPart key={category.path} category={category} />
          ))}
        </div>
      ) : (
        <ul className={styles.list}>
          {hits.slice(0, 100).map((hit) => (
            <NodeRow key={hit.id} hit={hit} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function CategoryPart({ category }: { readonly category: Category }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details className={styles.category} open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className={styles.summary}>
        <Icon icon={ChevronRight} size={14} className={styles.chevron} />
        <span className={styles.title}>{category.name}</span>
        <span className={styles.count} aria-label={plural("palette.hits", category.count)}>
          {category.count}
        </span>
      </summary>
      {isOpen && (
        <div className={styles.inside}>
          {category.inside.map((each) => (
            <CategoryPart key={each.path} category={each} />
          ))}
          <ul className={styles.list}>
            {category.hits.map((hit) => (
              <NodeRow key={hit.id} hit={hit} isShort />
            ))}
          </ul>
        </div>
      )}
    </details>
  );
}

function NodeRow({ hit, isShort = false }: { readonly hit: Hit; readonly isShort?: boolean }) {
  const description = useNodeTypes((state) => state.types.get(hit.id)?.description);
  const hasTab = useTab(() => true) ?? false;
  const drag = (event: DragEvent): void => {
    event.dataTransfer.setData(DRAGGED_NODE, hit.id);
    event.dataTransfer.effectAllowed = "copy";
  };
  return (
    <li>
      <button
        type="button"
        className={styles.node}
        title={description}
        draggable
        disabled={!hasTab}
        onDragStart={drag}
        onClick={() => addAtFreePlace(hit.id)}
      >
        {isShort ? <span className={styles.name}>{hit.title}</span> : <NodeName hit={hit} />}
      </button>
    </li>
  );
}
