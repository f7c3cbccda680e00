import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";

import { closeKept, closeUnwritten, fileText, theKeeper } from "@/state/keeping";
import { giveName, openKept, renameKept } from "@/state/keeping_shelf";
import { restore } from "@/state/keeping_restore";
import { keepingOf, touch, useKeeping } from "@/state/keeping_writer";
import { useNodeTypes } from "@/state/node_types";
import { openContent } from "@/state/opening";
import { askToClose } from "@/panels/tabs/close";
import { useLayout } from "@/panels/layout";
import { edit, type Tab, useWorkbench } from "@/state/workbench";

import { drawer, shelf } from "./keeping_room";

const FILE = readFileSync(new URL("../../../../workflows/text_to_image.editor.json", import.meta.url), "utf8");
const PATH = "workflows/apple.json";
const place = shelf();
const drafts = drawer();
const { writer, tools } = theKeeper({ place, drafts, textOf: fileText, tell: () => undefined });

function tab(id: string | null | undefined): Tab {
  const found = useWorkbench.getState().tabs.find((each) => each.id === id);
  if (found === undefined) throw new Error(`no tab ${id}`);
  return found;
}

function change(id: string, count: number): void {
  edit("edit.delete", (document) => ({ ...document, root: { ...document.root, lastNode: count } }), { tab: id });
}

function lastNode(id: string | null | undefined): number {
  return tab(id).history.present.root.lastNode;
}

async function named(): Promise<string> {
  const id = openContent(FILE, "apple.json") ?? "";
  await giveName(id, "apple");
  return id;
}

/** The page is loaded again, with one tab open before. */
async function reload(): Promise<string | undefined> {
  useWorkbench.setState({ tabs: [], active: null });
  useKeeping.setState({ keeping: new Map() });
  const open = JSON.stringify({ tabs: [{ path: PATH, name: "apple", isTouched: false }], active: 0 });
  const store = { getItem: () => open, setItem: () => undefined } as unknown as Storage;
  Object.assign(globalThis, { sessionStorage: store, localStorage: store });
  await restore(tools);
  return useWorkbench.getState().tabs[0]?.id;
}

beforeEach(() => {
  place.files.clear();
  place.state = "up";
  drafts.held.clear();
  useWorkbench.setState({ tabs: [], active: null });
  useKeeping.setState({ keeping: new Map() });
  useNodeTypes.setState({ status: "ready" });
});

describe("a workflow closed while the server was away", () => {
  it("leaves no word about its tab", async () => {
    const id = await named();
    touch(id);
    place.state = "away";
    change(id, 77);
    await closeUnwritten(id);
    expect([useKeeping.getState().keeping.size, useKeeping.getState().touched.size]).toEqual([0, 0]);
  });

  it("comes back with its last changes when it is opened again, and they are written then", async () => {
    const id = await named();
    place.state = "away";
    change(id, 77);
    await closeUnwritten(id);
    place.state = "up";
    const again = (await openKept(PATH)) ?? "";
    expect([lastNode(again), keepingOf(again).state]).toEqual([77, "saved"]);
    expect(tab(again).saved).toBeNull();
    expect((await writer.save(again)).kind).toBe("written");
    expect(JSON.parse(place.files.get(PATH)?.text ?? "")).toMatchObject({ last_node_id: 77 });
    expect(drafts.held.size).toBe(0);
  });

  it("takes them along when it is given another name", async () => {
    const id = await named();
    place.state = "away";
    change(id, 77);
    await closeUnwritten(id);
    place.state = "up";
    expect(await renameKept(PATH, "pear")).toBeNull();
    const again = (await openKept("workflows/pear.json")) ?? "";
    expect([lastNode(again), keepingOf(again).state]).toEqual([77, "saved"]);
    expect((await writer.save(again)).kind).toBe("written");
    expect([[...place.files.keys()], drafts.held.size]).toEqual([["workflows/pear.json"], 0]);
  });

  it("asks what to do when it was changed elsewhere meanwhile", async () => {
    const id = await named();
    place.state = "away";
    change(id, 77);
    await closeUnwritten(id);
    place.state = "up";
    await place.write(PATH, `${FILE}\n`, { over: "any" });
    const again = (await openKept(PATH)) ?? "";
    expect([lastNode(again), keepingOf(again).state]).toEqual([77, "changed"]);
    expect((await writer.save(again)).kind).toBe("conflict");
    expect(place.files.get(PATH)?.text).toBe(`${FILE}\n`);
  });

  it("is not closed as if it were written", async () => {
    const id = await named();
    place.state = "away";
    change(id, 77);
    expect(await closeKept(id)).toBe(false);
    expect(lastNode(id)).toBe(77);
    place.state = "up";
    expect(await closeKept(id)).toBe(true);
    expect(useWorkbench.getState().tabs).toEqual([]);
  });

  it("is not closed without asking", async () => {
    const id = await named();
    for (const state of ["away", "failed", "changed"] as const) {
      useLayout.setState({ question: null });
      useKeeping.setState({ keeping: new Map([[id, { state, message: "" }]]) });
      askToClose(id);
      expect(useLayout.getState().question).toMatchObject({ kind: "close", tab: id });
    }
    expect(useWorkbench.getState().tabs).toHaveLength(1);
  });
});

describe("a workflow open when the page was loaded again", () => {
  it("has the words that were not written", async () => {
    const id = await named();
    place.state = "away";
    change(id, 78);
    await writer.save(id);
    place.state = "up";
    const again = await reload();
    expect([lastNode(again), keepingOf(again ?? "").state]).toEqual([78, "saved"]);
  });

  it("is in no conflict with what was being written as the page went", async () => {
    const id = await named();
    change(id, 77);
    const writing = writer.save(id);
    change(id, 78);
    writer.flush(true);
    // Nothing of ours runs any more, but the request did arrive.
    const held = new Map(drafts.held);
    await writing;
    for (const [path, draft] of held) drafts.held.set(path, draft);
    expect(JSON.parse(place.files.get(PATH)?.text ?? "")).toMatchObject({ last_node_id: 77 });
    const again = (await reload()) ?? "";
    expect([lastNode(again), keepingOf(again).state]).toEqual([78, "saved"]);
    expect((await writer.save(again)).kind).toBe("written");
    expect(JSON.parse(place.files.get(PATH)?.text ?? "")).toMatchObject({ last_node_id: 78 });
  });

  it("is in conflict with what was written elsewhere as the page went", async () => {
    const id = await named();
    place.state = "away";
    change(id, 77);
    await writer.save(id);
    place.state = "up";
    await place.write(PATH, `${FILE}\n`, { over: "any" });
    expect(keepingOf((await reload()) ?? "").state).toBe("changed");
  });

  it("goes on under no name, with its words, when its file is gone", async () => {
    const id = await named();
    place.state = "away";
    change(id, 79);
    await writer.save(id);
    place.state = "up";
    place.files.clear();
    const again = await reload();
    expect([lastNode(again), tab(again).kept, tab(again).name]).toEqual([79, null, "apple"]);
    expect([...drafts.held.keys()]).toEqual([`latentwire/drafts/${tab(again).history.present.id}.json`]);
  });
});
