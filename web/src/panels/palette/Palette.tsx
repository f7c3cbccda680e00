/** The palette: type a few letters, press Enter, and the node is there. */

import { type CSSProperties, type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";

import type { Graph, GraphId } from "@/graph/document";
import { type Hit, search } from "@/graph/search";
import { useNodeTypes } from "@/state/node_types";
import { useTab } from "@/state/workbench";
import { plural, t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { VisuallyHidden } from "@/ui/VisuallyHidden";
import { useCanvas } from "@/view/canvas_store";

import { bringIntoSight } from "../in_sight";
import { addFromPalette } from "./add";
import { Description } from "./Description";
import { NodeName } from "./NodeName";
import styles from "./Palette.module.css";
import { useRecent } from "./recent";
import { closePalette, type PaletteOpening, usePalette } from "./request";
import { subgraphHits } from "./subgraph_hits";

/** More than anyone reads; typing on is faster. */
const MOST = 60;

export function Palette() {
  const request = usePalette((state) => state.request);
  return request === null ? null : <OpenPalette key={`${request.at.x},${request.at.y}`} request={request} />;
}

function OpenPalette({ request }: { readonly request: PaletteOpening }) {
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  // Not deferred: Enter takes what was typed, however fast.
  const hits = useHits(query, request);
  const box = useRef<HTMLDivElement>(null);
  const list = useId();
  useCloseOutside(box);
  const chosen = hits[Math.min(active, hits.length - 1)];
  const choose = (hit: Hit | undefined): void => {
    if (hit === undefined) return;
    closePalette();
    const added = addFromPalette(hit.id, request);
    if (added !== null) useCanvas.getState().focusNode(added);
  };
  const press = (event: KeyboardEvent): void => {
    const step = STEPS[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setActive((place) => Math.max(0, Math.min(hits.length - 1, place + step)));
    }
    if (event.key === "Enter" && !event.nativeEvent.isComposing) choose(chosen);
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      closePalette();
    }
    event.stopPropagation();
  };
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- keys of the field, wherever the focus is
    <div
      ref={box}
      role="dialog"
      aria-label={t("palette.name")}
      className={styles.box}
      style={placed(request)}
      onKeyDown={press}
    >
      <input
        className={styles.input}
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={chosen === undefined ? undefined : `${list}-${chosen.id}`}
        aria-label={t("palette.search")}
        placeholder={t("palette.search")}
        autoComplete="off"
        spellCheck={false}
        // oxlint-disable-next-line jsx-a11y/no-autofocus -- the palette was opened to type into it
        autoFocus
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setActive(0);
        }}
      />
      {request.fits !== undefined && <WireNote type={request.fits.from.type} />}
      <div className={styles.halves}>
        <HitList id={list} hits={hits} active={chosen?.id ?? null} onPoint={setActive} onChoose={choose} />
        {chosen !== undefined && <Description typeId={chosen.id} className={styles.description} />}
      </div>
      <VisuallyHidden>
        <span role="status">{plural("palette.hits", hits.length)}</span>
      </VisuallyHidden>
    </div>
  );
}

const STEPS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };

const NONE: ReadonlyMap<GraphId, Graph> = new Map();

function useHits(query: string, request: PaletteOpening): readonly Hit[] {
  const types = useNodeTypes((state) => state.types);
  const recent = useRecent((state) => state.recent);
  const subgraphs = useTab((tab) => tab.history.present.subgraphs);
  return useMemo(() => {
    const { accepts, gives } = request.fits ?? {};
    const fits = { ...(accepts === undefined ? {} : { accepts }), ...(gives === undefined ? {} : { gives }) };
    const own = subgraphHits(subgraphs ?? NONE, query, fits);
    return [...own, ...search(types, query, fits, recent)].slice(0, MOST);
  }, [types, query, request, recent, subgraphs]);
}

interface HitListProps {
  readonly id: string;
  readonly hits: readonly Hit[];
  readonly active: string | null;
  readonly onPoint: (place: number) => void;
  readonly onChoose: (hit: Hit) => void;
}

function HitList({ id, hits, active, onPoint, onChoose }: HitListProps) {
  if (hits.length === 0) return <p className={styles.none}>{t("palette.nothing")}</p>;
  return (
    <div id={id} role="listbox" aria-label={t("palette.results")} className={styles.list}>
      {hits.map((hit, place) => (
        // oxlint-disable-next-line jsx-a11y/click-events-have-key-events -- the field above has the keys
        <div
          key={hit.id}
          id={`${id}-${hit.id}`}
          ref={hit.id === active ? bringIntoSight : undefined}
          role="option"
          tabIndex={-1}
          aria-selected={hit.id === active}
          className={classes(styles.hit, hit.id === active && styles.active)}
          onPointerMove={() => hit.id !== active && onPoint(place)}
          onClick={() => onChoose(hit)}
        >
          <NodeName hit={hit} />
        </div>
      ))}
    </div>
  );
}

function WireNote({ type }: { readonly type: string }) {
  return (
    <p className={styles.wire}>
      <span className={styles.dot} style={{ background: `var(--type-${type}, var(--type-any))` }} />
      {t("palette.fits", { type })}
    </p>
  );
}

/** Closes when something else is pressed; gives the focus back to where it was. */
function useCloseOutside(box: { readonly current: HTMLElement | null }): void {
  useEffect(() => {
    const before = document.activeElement;
    const press = (event: PointerEvent): void => {
      if (event.target instanceof Node && box.current?.contains(event.target) !== true) closePalette();
    };
    window.addEventListener("pointerdown", press, true);
    return () => {
      window.removeEventListener("pointerdown", press, true);
      if (before instanceof HTMLElement && before !== document.body && before.isConnected) before.focus();
      else document.querySelector<HTMLElement>(".react-flow")?.focus({ preventScroll: true });
    };
  }, [box]);
}

/** At the pointer, but whole inside the window; in the middle when there is no pointer. */
function placed({ screen }: PaletteOpening): CSSProperties {
  if (screen === null) {
    return { left: "50%", top: "max(8px, min(15%, calc(100dvh - 25rem - 8px)))", translate: "-50% 0" };
  }
  return {
    left: `max(8px, min(${screen.x}px, calc(100vw - min(38rem, 100vw - 16px) - 8px)))`,
    top: `max(8px, min(${screen.y}px, calc(100dvh - min(25rem, 100dvh - 16px) - 8px)))`,
  };
}
