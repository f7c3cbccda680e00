/** What holds of any document, however it was edited. Repeat a failure with `SEED=… npx vitest run …`. */

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { type Document, type Graph, OUTPUT_NODE, PRIMITIVE, REROUTE } from "@/graph/document";
import { pack, unpack } from "@/graph/edits/subgraphs";
import { begin, type History, record, redo, undo } from "@/graph/history";
import { invariants } from "@/graph/invariants";
import { isWidgetType } from "@/graph/widgets";

import { textToImage } from "./build";
import { meaningOf } from "./meaning";
import { TYPES } from "./node_types";
import { applyEdit, EDIT_KINDS, type EditKind, KEEPS_VALUES, type RandomEdit, randomEdit } from "./random_edits";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = Number(process.env["ROUNDS"] ?? 200);
const EDITS = { minLength: 50, maxLength: 90 };

console.log(`random edits: SEED=${SEED}`);

/** A document as text, to see that nothing in it was changed in place. */
function shown(document: Document): string {
  return JSON.stringify(document, (_, value: unknown) =>
    value instanceof Map ? [...value] : typeof value === "bigint" ? `${value}n` : value,
  );
}

function edited(edits: readonly RandomEdit[]): Document {
  return edits.reduce((document, edit) => applyEdit(document, edit, TYPES), textToImage());
}

test("after every edit all invariants hold and the values of other nodes stay", () => {
  const done = new Map<EditKind, number>();
  fc.assert(
    fc.property(fc.array(randomEdit(), EDITS), (edits) => {
      let document = textToImage();
      for (const edit of edits) {
        const before = document;
        document = applyEdit(document, edit, TYPES);
        if (document !== before) done.set(edit.kind, (done.get(edit.kind) ?? 0) + 1);
        expect(invariants(document, TYPES), edit.kind).toEqual([]);
        if (KEEPS_VALUES.has(edit.kind)) expect(changedValues(before, document), edit.kind).toEqual([]);
      }
    }),
    { seed: SEED, numRuns: ROUNDS, endOnFailure: true },
  );
  const count = [...done.values()].reduce((sum, each) => sum + each, 0);
  expect(count).toBeGreaterThan(3000);
  // By chance one or two of the rarest may not have come up.
  expect(EDIT_KINDS.filter((kind) => !done.has(kind)).length).toBeLessThan(3);
}, 60_000);

test("as many undos and then as many redos are the identity", () => {
  fc.assert(
    fc.property(fc.array(randomEdit(), EDITS), (edits) => {
      let history: History = begin(textToImage());
      const texts = [shown(history.present)];
      for (const edit of edits) {
        const after = record(history, applyEdit(history.present, edit, TYPES), `edit.${edit.kind}`);
        if (after !== history) texts.push(shown(after.present));
        history = after;
      }
      const end = history.present;
      for (let at = texts.length - 2; at >= 0; at -= 1) {
        history = undo(history);
        expect(shown(history.present)).toBe(texts[at]);
      }
      expect(undo(history)).toBe(history);
      for (let at = 1; at < texts.length; at += 1) {
        history = redo(history);
        expect(shown(history.present)).toBe(texts[at]);
      }
      expect(history.present).toBe(end);
      expect(redo(history)).toBe(history);
    }),
    { seed: SEED, numRuns: ROUNDS, endOnFailure: true },
  );
}, 60_000);

const PLAIN: readonly EditKind[] = [
  "add",
  "addWired",
  "connect",
  "connectWidget",
  "reroute",
  "toInput",
  "value",
  "pack",
  "promote",
  "boundary",
];

test("packing nodes into a sub-graph, and unpacking it, changes nothing that runs", () => {
  let packs = 0;
  fc.assert(
    fc.property(
      fc.array(randomEdit(PLAIN), EDITS),
      fc.array(fc.boolean(), { minLength: 64, maxLength: 64 }),
      (edits, dice) => {
        const document = edited(edits);
        const chosen = [...document.root.nodes.keys()].filter((_, i) => dice[i % 64]);
        const packed = pack(document, "", { nodes: new Set(chosen) }, "Packed");
        if (!packed.ok) return;
        packs += 1;
        expect(meaningOf(packed.value.document, TYPES)).toEqual(meaningOf(document, TYPES));
        const unpacked = unpack(packed.value.document, "", packed.value.id);
        expect(unpacked.ok).toBe(true);
        if (unpacked.ok) expect(meaningOf(unpacked.value.document, TYPES)).toEqual(meaningOf(document, TYPES));
      },
    ),
    { seed: SEED, numRuns: ROUNDS, endOnFailure: true },
  );
  expect(packs).toBeGreaterThan(ROUNDS / 2);
}, 60_000);

test("unpacking an instance keeps the values that it held", () => {
  let unpacked = 0;
  fc.assert(
    fc.property(fc.array(randomEdit(PLAIN), EDITS), (edits) => {
      const document = edited(edits);
      const instance = [...document.root.nodes.values()].find((node) => document.subgraphs.has(node.type));
      if (instance === undefined || endsAtNoWidget(document.subgraphs.get(instance.type))) return;
      const outcome = unpack(document, "", instance.id);
      if (!outcome.ok) return;
      unpacked += 1;
      expect(meaningOf(outcome.value.document, TYPES)).toEqual(meaningOf(document, TYPES));
    }),
    { seed: SEED, numRuns: ROUNDS, endOnFailure: true },
  );
  expect(unpacked).toBeGreaterThan(ROUNDS / 20);
}, 60_000);

/** Whether a value held at a port could end at no widget: straight at an output, or at a socket that only takes wires. */
function endsAtNoWidget(definition: Graph | undefined): boolean {
  return [...(definition?.links.values() ?? [])].some((link) => {
    const origin = definition?.nodes.get(link.origin);
    const slot = definition?.nodes.get(link.target)?.inputs[link.targetSlot];
    if (link.target === OUTPUT_NODE) return origin === undefined || origin.type === REROUTE;
    return slot?.isWidget === false && isWidgetType(slot.type);
  });
}

function changedValues(before: Document, after: Document): readonly string[] {
  const graphs: readonly (readonly [Graph, Graph | undefined])[] = [
    [before.root, after.root],
    ...[...before.subgraphs].map(([id, graph]) => [graph, after.subgraphs.get(id)] as const),
  ];
  return graphs.flatMap(([old, now]) =>
    [...old.nodes.values()].flatMap((node) => {
      const other = now?.nodes.get(node.id);
      if (other === undefined || node.type === PRIMITIVE || before.subgraphs.has(node.type)) return [];
      return JSON.stringify(other.values, text) === JSON.stringify(node.values, text) ? [] : [node.id];
    }),
  );
}

function text(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}
