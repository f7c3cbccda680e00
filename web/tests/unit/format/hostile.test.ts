/** Files that are broken, foreign or made to hurt: refused in words or mended, never thrown at anybody. */

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { adopt, read, write } from "@/format/editor_file";
import { parse, stringify } from "@/format/json";
import { open } from "@/format/open";
import { convert, toPrompt } from "@/format/prompt";
import { toPython } from "@/format/python_script";
import { settleTexts } from "@/format/texts";
import { invariants } from "@/graph/invariants";
import { isObject, type JsonObject, sameValue, type Value } from "@/graph/value";
import { en } from "@/texts/en";
import { zh } from "@/texts/zh";

import { coreObjectInfo, realWorkflows, serverPrompts, typesOf } from "./server";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = Number(process.env["ROUNDS"] ?? 400);
console.log(`hostile files: SEED=${SEED}`);

const INFO = coreObjectInfo();
const TYPES = typesOf(INFO);
const REAL = [...realWorkflows().values()];

const WORDS = ["Reroute", "PrimitiveNode", "KSampler", "LoadImage", "-10", "-20", "*", "", "INT", "fixed", "__proto__"];
const rubbish: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom<Value>(null, true, false, 0, 1, 2, 4, -1, 1.5, 1e300, 18446744073709551615n, [], {}, [1, 2, 3]),
  fc.constantFrom<Value>(...WORDS),
  fc.integer({ min: -30, max: 80 }),
  fc.array(fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(...WORDS)), { maxLength: 8 }),
  fc.dictionary(fc.constantFrom("id", "type", "name", "links", "nodes", "x"), fc.integer({ min: 0, max: 9 })),
);

/** Some values anywhere in a file become others. */
function damaged(file: JsonObject, dice: readonly number[], others: readonly Value[]): JsonObject {
  const copy = structuredClone(file) as JsonObject;
  others.forEach((other, i) => {
    let at: Value = copy;
    const depth = 1 + ((dice[i] ?? 0) % 7);
    for (let level = 0; level < depth; level++) {
      const keys: string[] = Object.keys(at as object);
      const key = keys[(dice[(i + level + 1) % dice.length] ?? 0) % Math.max(1, keys.length)];
      if (key === undefined) return;
      const inner: Value | undefined = (at as JsonObject)[key];
      if (level === depth - 1 || typeof inner !== "object" || inner === null) {
        if (level > 0) (at as Record<string, Value>)[key] = other;
        return;
      }
      at = inner;
    }
  });
  return copy;
}

const DAMAGE = fc.sample(
  fc.tuple(
    fc.nat(),
    fc.array(fc.nat(), { minLength: 20, maxLength: 40 }),
    fc.array(rubbish, { minLength: 1, maxLength: 12 }),
  ),
  { seed: SEED, numRuns: ROUNDS },
);
const DAMAGED = DAMAGE.map(([n, dice, others]) => damaged(REAL[n % REAL.length] ?? {}, dice, others));

test("whatever is changed in real files, everything can be done with them, and it comes back from its file", () => {
  for (const [i, file] of DAMAGED.entries()) {
    const found = open(stringify(file), "x", TYPES);
    if (!found.ok) continue;
    const { document } = found.value;
    // Ids of more digits than a counter has are kept; a choice the file does not make, of nothing, has no value.
    const isOfTheFile = /\d{16,} is beyond|has neither a slot nor a value/;
    const broken = invariants(document, TYPES).filter((each) => !isOfTheFile.test(each));
    expect(broken, `file ${i}`).toEqual([]);
    toPython(document, TYPES, "x");
    settleTexts(document, TYPES);
    expect(adopt(document, TYPES), `file ${i}`).toBe(document);
    const again = read(write(document, TYPES), TYPES);
    expect(again.ok && again.value.document, `file ${i}`).toEqual(document);
  }
}, 60_000);

test("damaged files are the same to the server as to the browser, refused or converted", () => {
  const answers = serverPrompts(INFO, DAMAGED);
  let refused = 0;
  for (const [i, file] of DAMAGED.entries()) {
    const made = convert(file, TYPES);
    if (!made.ok) refused += 1;
    const why = answers[i]?.error;
    expect(made.ok ? null : "refused", `file ${i}: ${why}`).toBe(why === undefined ? null : "refused");
    expect(made.ok ? made.value.prompt : undefined, `file ${i}`).toEqual(answers[i]?.prompt);
  }
  expect(refused).toBeLessThan(ROUNDS / 2);
}, 60_000);

test("what was mended means the same to the server as to the browser", () => {
  const documents = DAMAGED.map((file) => read(file, TYPES)).flatMap((found) =>
    found.ok ? [found.value.document] : [],
  );
  const answers = serverPrompts(
    INFO,
    documents.map((document) => write(document, TYPES)),
  );
  for (const [i, document] of documents.entries()) {
    const made = toPrompt(document, TYPES);
    expect(made.ok ? made.value.prompt : undefined, `document ${i}`).toEqual(answers[i]?.prompt);
  }
}, 60_000);

test("any JSON at all is read or refused in words", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const found = open(JSON.stringify(value), "x", TYPES);
      const nodes = open(JSON.stringify({ nodes: value, links: value, extra: value }), "x", TYPES);
      for (const each of [found, nodes]) if (!each.ok) expect(each.reason.code in en).toBe(true);
    }),
    { numRuns: 300 },
  );
}, 60_000);

const LOOP = (id: string, inner: string): Value => ({
  id,
  nodes: [{ id: 1, type: inner }],
  links: [],
  inputs: [],
  outputs: [],
});

test("sub-graphs that contain themselves are kept, and refused when they should run", () => {
  const file = {
    nodes: [{ id: 1, type: "a" }],
    links: [],
    definitions: { subgraphs: [LOOP("a", "b"), LOOP("b", "a")] },
  };
  const found = read(file, TYPES);
  expect(found.ok && found.value.document.subgraphs.size).toBe(2);
  const made = found.ok ? toPrompt(found.value.document, TYPES) : found;
  expect(made.ok ? "" : made.reason.code).toBe("reason.file_subgraph_in_itself");
});

test("sub-graphs that double at each of thirty levels are refused and do not run out of memory", () => {
  const subgraphs = Array.from({ length: 30 }, (_, i) => ({
    id: `g${i}`,
    links: [],
    inputs: [],
    outputs: [],
    nodes: [1, 2].map((id) => ({ id, type: i === 29 ? "VAEDecode" : `g${i + 1}` })),
  }));
  const made = convert({ nodes: [{ id: 1, type: "g0" }], links: [], definitions: { subgraphs } }, TYPES);
  expect(made.ok ? "" : made.reason.code).toMatch(/too_many/);
}, 60_000);

test("a workflow of 20 MB is parsed, read, written and converted", () => {
  const one = REAL[0] ?? {};
  const nodes: Value[] = [];
  const links: Value[] = [];
  for (let copy = 0; stringify(one).length * copy < 20e6; copy++) {
    const moved = (id: Value | undefined): Value => (typeof id === "number" ? id + copy * 1000 : (id ?? null));
    for (const node of one["nodes"] as readonly JsonObject[]) {
      const inputs = ((node["inputs"] ?? []) as readonly JsonObject[]).map((slot) => ({
        ...slot,
        link: moved(slot["link"]),
      }));
      nodes.push({ ...node, id: moved(node["id"]), inputs });
    }
    for (const link of one["links"] as readonly Value[][]) {
      const [id, from, fromSlot, to, toSlot, type] = link;
      links.push([moved(id), moved(from), fromSlot ?? 0, moved(to), toSlot ?? 0, type ?? "*"]);
    }
  }
  const text = stringify({ nodes, links, seed: 18446744073709551615n, version: 0.4 });
  const json = parse(text);
  const found = read(json.ok ? json.value : null, TYPES);
  if (!found.ok) throw new Error(found.reason.code);
  const file = write(found.value.document, TYPES);
  const again = parse(stringify(file));
  expect(again.ok && sameValue(again.value, file)).toBe(true);
  const made = convert(file, TYPES);
  expect(made.ok && Object.keys(made.value.prompt).length).toBeGreaterThan(3000);
}, 60_000);

test("HTML in titles and texts is text like any other", () => {
  const html = "<img src=x onerror=alert(1)>";
  const found = read({ nodes: [{ id: 1, type: "Note", title: html, widgets_values: [html] }], links: [] }, TYPES);
  const node = found.ok ? found.value.document.root.nodes.get("1") : undefined;
  expect([node?.title, node?.values["value"]]).toEqual([html, html]);
});

test("every reason this room gives has words in both languages", async () => {
  const { readdirSync, readFileSync } = await import("node:fs");
  const folder = new URL("../../../src/format/", import.meta.url);
  const source = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), "utf8"));
  const codes = new Set(source.flatMap((text) => text.match(/reason\.file_[a-z_]+/g) ?? []));
  expect(codes.size).toBeGreaterThan(15);
  for (const code of codes) expect([code in en, code in zh], code).toEqual([true, true]);
});

test("fields nobody knows are kept at every level", () => {
  const file: JsonObject = {
    id: "w",
    revision: 3,
    config: { a: 1 },
    models: [{ name: "m" }],
    last_node_id: 9,
    last_link_id: 8,
    extra: {
      ds: { scale: 1 },
      mine: [1],
      reroutes: [{ id: 4, pos: [1, 2], linkIds: [1, 7] }],
      linkExtensions: [{ id: 1, parentId: 4 }],
    },
    nodes: [
      {
        id: 1,
        type: "Alien",
        pos: { "0": 5, "1": 6 },
        size: [1, 2],
        flags: { pinned: true, collapsed: true },
        order: 7,
        mode: 3,
        inputs: [],
        outputs: [{ name: "o", type: "MODEL", links: [1], slot_index: 0, dir: 4 }],
        properties: { p: 1 },
        widgets_values: { a: 18446744073709551615n },
        boxcolor: "#fff",
        color: "#111",
        bgcolor: "#222",
      },
      {
        id: "7:3",
        type: "KSampler",
        inputs: [{ name: "model", type: "MODEL", link: 1, shape: 7, localized_name: "Modell" }],
        widgets_values: [18446744073709551615n, "randomize", 20, 8, "euler", "normal", 1, "left over"],
      },
    ],
    links: [[1, 1, 0, "7:3", 0, "MODEL"], null, [5, 88, 0, 1, 0, "X"]],
    groups: [{ title: "G", bounding: [1, 2, 3, 4], color: "#333", font_size: 24, flags: {} }],
    version: 0.4,
  };
  const found = read(file, TYPES);
  if (!found.ok) throw new Error(found.reason.code);
  expect(found.value.notes).toEqual([
    { code: "reason.file_unknown_types", words: { types: "Alien", count: 1 } },
    { code: "reason.file_mended_links", words: { count: 1 } },
  ]);
  const written = write(found.value.document, TYPES);
  expect(written).toMatchObject({
    id: "w",
    revision: 3,
    config: { a: 1 },
    models: [{ name: "m" }],
    last_node_id: 9,
    last_link_id: 8,
    version: 0.4,
    extra: {
      ds: { scale: 1 },
      mine: [1],
      reroutes: [{ id: 4, pos: [1, 2], linkIds: [1] }],
      linkExtensions: [{ id: 1, parentId: 4 }],
    },
    links: [[1, 1, 0, "7:3", 0, "MODEL"]],
    groups: [{ title: "G", bounding: [1, 2, 3, 4], color: "#333", font_size: 24, flags: {} }],
  });
  const [alien, sampler] = written["nodes"] as readonly JsonObject[];
  const [given] = file["nodes"] as readonly JsonObject[];
  expect(alien).toEqual(given);
  expect(sampler?.["widgets_values"]).toEqual([
    18446744073709551615n,
    "randomize",
    20,
    8,
    "euler",
    "normal",
    1,
    "left over",
  ]);
  const [slot] = (sampler?.["inputs"] ?? []) as readonly JsonObject[];
  expect(slot).toMatchObject({
    link: 1,
    shape: 7,
    localized_name: "Modell",
  });
});

test("a file of version 1 stays one, with its waypoints", () => {
  const file = {
    id: "w",
    version: 1,
    state: { lastNodeId: 2, lastLinkId: 1, lastGroupId: 0, lastRerouteId: 3 },
    nodes: [
      { id: 1, type: "A", outputs: [{ name: "o", type: "X", links: [1] }] },
      { id: 2, type: "B", inputs: [{ name: "i", type: "X", link: 1 }] },
    ],
    links: [{ id: 1, origin_id: 1, origin_slot: 0, target_id: 2, target_slot: 0, type: "X", parentId: 3 }],
    reroutes: [
      { id: 3, pos: [0, 0], linkIds: [1] },
      { id: 2, pos: [0, 0], linkIds: [] },
    ],
    floatingLinks: [{ id: 9, origin_id: 1, origin_slot: 0, target_id: -1, target_slot: -1, type: "X", parentId: 2 }],
  };
  const found = read(file, TYPES);
  const written = found.ok ? write(found.value.document, TYPES) : {};
  expect(written).toMatchObject({ ...file, nodes: [{ id: 1 }, { id: 2 }] });
  expect(isObject(written["state"])).toBe(true);
});

test("values get their names when their node's type becomes known", () => {
  const file = REAL[0] ?? {};
  const before = read(file, new Map());
  const after = read(file, TYPES);
  if (!before.ok || !after.ok) throw new Error("a real workflow cannot be read");
  expect(before.value.document).not.toEqual(after.value.document);
  const adopted = adopt(before.value.document, TYPES);
  expect(adopted).toEqual({ ...after.value.document, id: before.value.document.id });
  expect(adopt(adopted, TYPES)).toBe(adopted);
});
