import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";

import { emptyDocument } from "@/graph/document";
import { discard, fileText, theKeeper } from "@/state/keeping";
import { keepMineAsCopy, lookAtTheirs, overwriteTheirs, takeTheirs } from "@/state/keeping_choices";
import { isDraft, placeOf } from "@/state/keeping_names";
import { takeOver } from "@/state/keeping_peers";
import { giveName, listDrafts, listWorkflows, openKept, removeKept, renameKept, saveCopy } from "@/state/keeping_shelf";
import { isTouched, keepingOf, useKeeping } from "@/state/keeping_writer";
import { openContent } from "@/state/opening";
import { edit, redo, select, showTab, type Tab, undo, useWorkbench } from "@/state/workbench";

import { drawer, shelf } from "./keeping_room";

const FILE = readFileSync(new URL("../../../../workflows/text_to_image.editor.json", import.meta.url), "utf8");
const place = shelf();
const drafts = drawer();
theKeeper({ place, drafts, textOf: fileText, tell: () => undefined });

function tab(id: string | null): Tab {
  const found = useWorkbench.getState().tabs.find((each) => each.id === id);
  if (found === undefined) throw new Error(`no tab ${id}`);
  return found;
}

function nodes(id: string | null): number {
  return tab(id).history.present.root.nodes.size;
}

function empty(id: string | null): void {
  edit("edit.delete", (document) => ({ ...document, root: { ...document.root, nodes: new Map(), links: new Map() } }), {
    tab: tab(id).id,
  });
}

/** A workflow that was written elsewhere while it is changed here: theirs has seven nodes, ours none. */
async function conflicting(): Promise<string> {
  const id = openContent(FILE, "mine.json") ?? "";
  await giveName(id, "shared");
  await place.write("workflows/shared.json", `${FILE}\n`, { over: "any" });
  empty(id);
  await theKeeper().writer.save(id);
  expect(keepingOf(id).state).toBe("changed");
  return id;
}

beforeEach(() => {
  place.files.clear();
  drafts.held.clear();
  useWorkbench.setState({ tabs: [], active: null });
  useKeeping.setState({ keeping: new Map() });
});

describe("workflows on the server", () => {
  it("get a name, and lose the draft that they were", async () => {
    const id = openContent(FILE, "apple.json") ?? "";
    await theKeeper().writer.save(id);
    const draft = placeOf(tab(id));
    expect([isDraft(tab(id)), place.files.has(draft)]).toEqual([true, true]);
    expect(await giveName(id, " fruit/apple ")).toBeNull();
    expect([...place.files.keys()]).toEqual(["workflows/fruit/apple.json"]);
    expect([tab(id).name, isDraft(tab(id))]).toEqual(["fruit/apple", false]);
  });

  it("do not take a name that is taken", async () => {
    await place.write("workflows/apple.json", "{}", { over: null });
    const id = openContent(FILE, "apple.json") ?? "";
    expect((await giveName(id, "apple"))?.code).toBe("reason.name_taken");
    expect(place.files.get("workflows/apple.json")?.text).toBe("{}");
  });

  it("can be renamed, and go on being written under the new name", async () => {
    const id = openContent(FILE, "a.json") ?? "";
    await giveName(id, "a");
    expect(await renameKept("workflows/a.json", "b")).toBeNull();
    empty(id);
    expect((await theKeeper().writer.save(id)).kind).toBe("written");
    expect([...place.files.keys()]).toEqual(["workflows/b.json"]);
  });

  it("can be kept under a second name, where the tab goes on", async () => {
    const id = openContent(FILE, "a.json") ?? "";
    await giveName(id, "a");
    expect(await saveCopy(id, "b")).toBeNull();
    expect([...place.files.keys()]).toEqual(["workflows/a.json", "workflows/b.json"]);
    expect(tab(id).kept?.path).toBe("workflows/b.json");
  });

  it("are opened once, and shown when they are open already", async () => {
    await place.write("workflows/a.json", FILE, { over: null });
    const id = await openKept("workflows/a.json");
    expect([nodes(id), tab(id).saved === tab(id).history.present]).toEqual([7, true]);
    expect(await openKept("workflows/a.json")).toBe(id);
    expect(useWorkbench.getState().tabs).toHaveLength(1);
  });

  it("stay open without a name when they are deleted", async () => {
    const id = openContent(FILE, "a.json") ?? "";
    await giveName(id, "a");
    expect(await removeKept("workflows/a.json")).toBe(true);
    expect([isDraft(tab(id)), nodes(id)]).toEqual([true, 7]);
    expect(await listWorkflows()).toEqual([]);
  });

  it("leave nothing behind when they are discarded", async () => {
    const id = openContent(FILE, "a.json") ?? "";
    await theKeeper().writer.save(id);
    await discard(id);
    expect([place.files.size, drafts.held.size, useWorkbench.getState().tabs.length]).toEqual([0, 0, 0]);
  });
});

describe("workflows without a name", () => {
  it("can be found and opened when their tabs are gone, and are not lost by closing them unasked", async () => {
    const id = openContent(FILE, "a.json") ?? "";
    await theKeeper().writer.save(id);
    const path = placeOf(tab(id));
    expect(await listDrafts()).toEqual([]);
    useWorkbench.setState({ tabs: [], active: null });
    expect((await listDrafts()).map((each) => each.path)).toEqual([path]);
    expect(await listWorkflows()).toEqual([]);
    const again = await openKept(path);
    expect([nodes(again), tab(again).name, isDraft(tab(again)), isTouched(tab(again))]).toEqual([
      7,
      "Untitled",
      true,
      true,
    ]);
    expect(await listDrafts()).toEqual([]);
  });

  it("can be deleted", async () => {
    const id = openContent(FILE, "a.json") ?? "";
    await theKeeper().writer.save(id);
    useWorkbench.setState({ tabs: [], active: null });
    for (const { path } of await listDrafts()) expect(await removeKept(path)).toBe(true);
    expect([await listDrafts(), place.files.size]).toEqual([[], 0]);
  });
});

describe("a workflow that is discarded while it is being written", () => {
  it("leaves nothing behind either", async () => {
    const id = openContent(FILE, "a.json") ?? "";
    const { write } = place;
    const answers: (() => void)[] = [];
    const answered = new Promise<void>((resolve) => void answers.push(resolve));
    Object.assign(place, { write: (...all: Parameters<typeof write>) => answered.then(() => write(...all)) });
    const writing = theKeeper().writer.save(id);
    const discarding = discard(id);
    Object.assign(place, { write });
    expect(useWorkbench.getState().tabs).toEqual([]);
    answers[0]?.();
    expect((await writing).kind).toBe("written");
    await discarding;
    expect([place.files.size, drafts.held.size]).toEqual([0, 0]);
  });
});

describe("a workflow that was changed elsewhere", () => {
  it("can be looked at, and the choice stays open", async () => {
    const id = await conflicting();
    await lookAtTheirs(id);
    expect([nodes(useWorkbench.getState().active), nodes(id)]).toEqual([7, 0]);
    expect(keepingOf(id).state).toBe("changed");
    expect(place.files.get("workflows/shared.json")?.text).toBe(`${FILE}\n`);
  });

  it("can be kept beside mine", async () => {
    const id = await conflicting();
    await keepMineAsCopy(id);
    await theKeeper().writer.save(id);
    expect(drafts.held.size).toBe(0);
    expect(place.files.get("workflows/shared.json")?.text).toBe(`${FILE}\n`);
    expect(place.files.has(placeOf(tab(id)))).toBe(true);
    expect([isDraft(tab(id)), nodes(id), tab(id).name]).toEqual([true, 0, "shared (mine)"]);
  });

  it("is another workflow than mine beside it, also after undo and redo", async () => {
    const id = await conflicting();
    await keepMineAsCopy(id);
    const copy = placeOf(tab(id));
    const theirs = await openKept("workflows/shared.json");
    showTab(id);
    for (const step of [undo, redo, undo]) {
      step();
      expect(placeOf(tab(id))).toBe(copy);
      expect(tab(id).history.present.id).not.toBe(tab(theirs).history.present.id);
    }
    expect([nodes(id), tab(id).history.future.length]).toEqual([7, 1]);
  });

  it("leaves nothing of mine in the browser that would come back, when mine is discarded or kept elsewhere", async () => {
    const ends = [discard, keepMineAsCopy, (id: string) => saveCopy(id, "other"), takeTheirs];
    for (const end of ends) {
      place.files.clear();
      const id = await conflicting();
      expect([...drafts.held.keys()]).toEqual(["workflows/shared.json"]);
      await end(id);
      expect([...drafts.held.keys()]).toEqual([]);
      expect(place.files.get("workflows/shared.json")?.text).toBe(`${FILE}\n`);
      useWorkbench.setState({ tabs: [], active: null });
    }
  });

  it("can be overwritten on purpose", async () => {
    const id = await conflicting();
    await overwriteTheirs(id);
    expect(keepingOf(id).state).toBe("saved");
    expect(JSON.parse(place.files.get("workflows/shared.json")?.text ?? "")).toMatchObject({ nodes: [] });
  });

  it("can be taken over, and undo brings mine back", async () => {
    const id = await conflicting();
    await takeTheirs(id);
    expect([nodes(id), keepingOf(id).state, tab(id).saved === tab(id).history.present]).toEqual([7, "saved", true]);
    undo();
    expect(nodes(id)).toBe(0);
    expect((await theKeeper().writer.save(id)).kind).toBe("written");
  });

  it("leaves nothing selected that theirs does not have", async () => {
    const id = openContent(FILE, "mine.json") ?? "";
    await giveName(id, "shared");
    select({ nodes: new Set(["3"]) });
    await place.write("workflows/shared.json", fileText(emptyDocument("theirs")), { over: "any" });
    expect(await takeOver(id, "workflows/shared.json", place, true)).toBe(true);
    expect([nodes(id), [...tab(id).selection.nodes]]).toEqual([0, []]);
    expect(tab(id).saved).toBe(tab(id).history.present);
  });

  it("cannot be given another name before that is settled", async () => {
    const id = await conflicting();
    expect((await giveName(id, "other"))?.code).toBe("reason.changed_elsewhere");
    expect([...place.files.keys()].includes("workflows/other.json")).toBe(false);
  });
});
