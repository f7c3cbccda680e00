/**
 * Wiring by keyboard: first the sockets of a node (unless one was chosen already), then those of other nodes that fit,
 * the nearest first.
 */

import { useMemo } from "react";
import { Autocomplete, Input, ListBox, ListBoxItem, SearchField, useFilter } from "react-aria-components";

import type { Node } from "@/graph/document";
import { connect } from "@/graph/edits/links";
import { canConnect } from "@/graph/rules";
import { nodeTypes } from "@/state/node_types";
import { activeTab, editGraph } from "@/state/workbench";
import { t } from "@/texts/index";
import { Popover } from "@/ui/Popover";

import { setCanvas, useCanvas, type WireEnd } from "./canvas_store";
import { type Scene, layoutIn, rectIn } from "./flow_nodes";
import { titleOf } from "./node_label";
import { currentScene } from "./scene";
import { typeColor } from "./type_color";
import styles from "./WireList.module.css";

interface Choice {
  readonly key: string;
  readonly label: string;
  readonly detail: string;
  readonly end: WireEnd;
}

export function WireList() {
  const listing = useCanvas((state) => state.listing);
  const anchor = useMemo(() => (listing === null ? null : frameOf(listing.node)), [listing]);
  const { contains } = useFilter({ sensitivity: "base" });
  const choices = useMemo(() => {
    const scene = listing === null ? null : currentScene();
    if (scene === null || listing === null) return [];
    return listing.end === null ? endsOfNode(scene, listing.node) : fitting(scene, listing.end);
  }, [listing]);
  if (listing === null || anchor === null) return null;
  const { end } = listing;
  const close = (): void => {
    setCanvas({ listing: null });
    anchor.focus({ preventScroll: true });
  };
  const choose = (key: string): void => {
    const choice = choices.find((each) => each.key === key);
    if (choice === undefined) return;
    if (end === null) setCanvas({ listing: { node: listing.node, end: choice.end } });
    else {
      join(end, choice.end);
      close();
    }
  };
  const label = t(end === null ? "canvas.list.from" : "canvas.list.to");
  return (
    <Popover anchor={anchor} isOpen onClose={close} label={label} isBare placement="right top">
      <div className={styles.list} key={end === null ? "from" : "to"}>
        <Autocomplete filter={contains}>
          {/* oxlint-disable-next-line jsx-a11y/no-autofocus -- the popover was asked for */}
          <SearchField aria-label={label} autoFocus className={styles.search ?? ""}>
            <Input placeholder={label} className={styles.field ?? ""} />
          </SearchField>
          <ListBox
            aria-label={label}
            items={choices}
            className={styles.choices ?? ""}
            renderEmptyState={() => <p className={styles.empty}>{t("canvas.list.nothing")}</p>}
            onAction={(key) => choose(String(key))}
          >
            {(choice: Choice) => (
              <ListBoxItem
                id={choice.key}
                textValue={`${choice.label} ${choice.detail}`}
                className={styles.choice ?? ""}
              >
                <span className={styles.spot} style={{ background: typeColor(choice.end.type) }} />
                <span className={styles.label}>{choice.label}</span>
                <span className={styles.detail}>{choice.detail}</span>
              </ListBoxItem>
            )}
          </ListBox>
        </Autocomplete>
      </div>
    </Popover>
  );
}

function frameOf(id: string): HTMLElement | null {
  return document.querySelector<HTMLElement>(`[data-node="${CSS.escape(id)}"]`);
}

/** The sockets of a node, outputs first: they are wired more often. */
function endsOfNode(scene: Scene, id: string): readonly Choice[] {
  const node = scene.graph.nodes.get(id);
  if (node === undefined) return [];
  const outputs = node.outputs.map((slot, i): Choice => {
    const end: WireEnd = { kind: "output", end: { node: id, slot: i }, type: slot.type };
    return {
      key: `out:${i}`,
      label: slot.label ?? slot.name,
      detail: t("canvas.list.output", { type: slot.type }),
      end,
    };
  });
  return [...outputs, ...inputsOf(scene, node)];
}

function inputsOf(scene: Scene, node: Node): readonly Choice[] {
  const slots = node.inputs.map((slot, i): Choice => {
    const end: WireEnd = { kind: "input", end: { node: node.id, slot: i }, type: slot.type };
    return { key: `in:${i}`, label: slot.label ?? slot.name, detail: t("canvas.list.input", { type: slot.type }), end };
  });
  const widgets = layoutIn(scene, node)
    .widgets.filter((each) => each.slot === null && each.inner === null)
    .map(({ input }): Choice => {
      const end: WireEnd = { kind: "input", end: { node: node.id, widget: input.name }, type: input.type };
      return {
        key: `widget:${input.name}`,
        label: input.name,
        detail: t("canvas.list.widget", { type: input.type }),
        end,
      };
    });
  return [...slots, ...widgets];
}

/** What can take the other end of a wire, by distance; sockets before widgets. */
export function fitting(scene: Scene, end: WireEnd): readonly Choice[] {
  const home = scene.graph.nodes.get(end.end.node);
  const here = home === undefined ? { x: 0, y: 0 } : rectIn(scene, home);
  const found: { choice: Choice; far: number }[] = [];
  for (const node of scene.graph.nodes.values()) {
    if (node.id === end.end.node) continue;
    const rect = rectIn(scene, node);
    const title = titleOf(node, scene.document, scene.types);
    for (const choice of endsOfNode(scene, node.id)) {
      if (choice.end.kind === end.kind || !isFit(scene, end, choice.end)) continue;
      const penalty = choice.key.startsWith("widget:") ? 100_000 : 0;
      const far = Math.hypot(rect.x - here.x, rect.y - here.y) + penalty;
      found.push({ choice: { ...choice, key: `${node.id} ${choice.key}`, label: `${title} · ${choice.label}` }, far });
    }
  }
  return found.toSorted((one, other) => one.far - other.far).map((each) => each.choice);
}

function isFit({ document, graph, types }: Scene, one: WireEnd, other: WireEnd): boolean {
  if (one.kind === "output" && other.kind === "input")
    return canConnect(document, graph.id, types, one.end, other.end) === null;
  if (one.kind === "input" && other.kind === "output")
    return canConnect(document, graph.id, types, other.end, one.end) === null;
  return false;
}

function join(one: WireEnd, other: WireEnd): void {
  const from = one.kind === "output" ? one.end : other.kind === "output" ? other.end : null;
  const to = one.kind === "input" ? one.end : other.kind === "input" ? other.end : null;
  if (from === null || to === null || activeTab() === null) return;
  editGraph("edit.connect", (document, graph) => {
    const after = connect(document, graph, nodeTypes(), from, to);
    return after.ok ? after.value : document;
  });
}
