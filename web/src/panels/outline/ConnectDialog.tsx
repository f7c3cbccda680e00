/** Chooses what an input or output is wired to, among everything that fits. */

import { useMemo, useState } from "react";

import type { Document, Graph } from "@/graph/document";
import { useNodeTypes } from "@/state/node_types";
import { inWords } from "@/state/opening";
import { toast } from "@/state/toasts";
import { edit } from "@/state/workbench";
import { plural, t } from "@/texts/index";
import { Dialog } from "@/ui/Dialog";
import { SearchField } from "@/ui/SearchField";

import { type Candidate, candidatesFor, type End, join } from "./ends";
import styles from "./Outline.module.css";

interface ConnectDialogProps {
  readonly document: Document;
  readonly graph: Graph;
  readonly end: End;
  readonly onClose: () => void;
}

export function ConnectDialog({ document, graph, end, onClose }: ConnectDialogProps) {
  const types = useNodeTypes((state) => state.types);
  const [query, setQuery] = useState("");
  const all = useMemo(() => candidatesFor(document, graph, types, end), [document, graph, types, end]);
  const sought = query.trim().toLowerCase();
  const found = all.filter((each) => `${each.node} #${each.id} ${each.slot}`.toLowerCase().includes(sought));
  const choose = (candidate: Candidate): void => {
    onClose();
    const outcome = join(document, graph, types, end, candidate);
    if (outcome.ok) edit("edit.connect", () => outcome.value);
    else toast("warning", inWords(outcome.reason));
  };
  return (
    <Dialog title={t("outline.connect_to", { name: end.name })} isOpen onClose={onClose} size="sm">
      <SearchField
        value={query}
        onChange={setQuery}
        label={t("outline.search_ends")}
        placeholder={t("outline.search_ends")}
        autoFocus
        onSubmit={() => found[0] !== undefined && choose(found[0])}
      />
      <p role="status" className={styles.count}>
        {found.length === 0 ? t("outline.nothing_fits") : plural("outline.fits", found.length)}
      </p>
      <ul className={styles.candidates}>
        {found.map((each) => (
          <li key={each.key}>
            <button type="button" className={styles.candidate} onClick={() => choose(each)}>
              <span>
                {each.node} {each.id !== "" && <span className={styles.id}>#{each.id}</span>}
              </span>
              <span className={styles.type}>{each.slot}</span>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
