import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { emptyDocument } from "@/graph/document";
import { placeOf } from "@/state/keeping_names";
import { dropKeeping, keepingOf, useKeeping, WAIT, Writer } from "@/state/keeping_writer";
import { closeTab, edit, openTab, type Tab, useWorkbench } from "@/state/workbench";

import { drawer, shelf } from "./keeping_room";

let count = 0;

function room() {
  const [place, drafts] = [shelf(), drawer()];
  const told: string[] = [];
  const texts: string[] = [];
  const writer = new Writer({
    place,
    drafts,
    textOf: (document) => {
      const text = JSON.stringify([document.id, document.root.name]);
      texts.push(text);
      return text;
    },
    tell: (path) => told.push(path),
  });
  return { place, drafts, writer, told, texts };
}

/** A workflow kept at a path, and open. */
async function opened(place: ReturnType<typeof shelf>, path: string): Promise<string> {
  const document = emptyDocument(`document-${++count}`);
  const written = await place.write(path, "first", { over: null });
  const etag = written.kind === "written" ? written.etag : null;
  return openTab(document, "portrait", { kept: { path, etag }, saved: document });
}

function rename(id: string, name: string): void {
  edit("edit.rename", (document) => ({ ...document, root: { ...document.root, name } }), { tab: id });
}

function tab(id: string): Tab {
  const found = useWorkbench.getState().tabs.find((each) => each.id === id);
  if (found === undefined) throw new Error(`no tab ${id}`);
  return found;
}

beforeEach(() => {
  vi.useFakeTimers();
  useWorkbench.setState({ tabs: [], active: null });
  useKeeping.setState({ keeping: new Map() });
});

afterEach(() => vi.useRealTimers());

describe("the writer of workflows", () => {
  it("writes once for many edits in a row, a moment after the last", async () => {
    const { place, writer, texts } = room();
    const id = await opened(place, "workflows/a.json");
    for (const name of ["a", "ab", "abc"]) {
      rename(id, name);
      writer.schedule(id);
      await vi.advanceTimersByTimeAsync(WAIT / 2);
    }
    expect(texts).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(WAIT);
    expect(texts).toHaveLength(1);
    expect(place.files.get("workflows/a.json")?.text).toContain("abc");
    expect(tab(id).saved).toBe(tab(id).history.present);
  });

  it("writes now and then while somebody never stops", async () => {
    const { place, writer } = room();
    const id = await opened(place, "workflows/a.json");
    const before = place.writes;
    for (let i = 0; i < 60; i++) {
      rename(id, `name ${i}`);
      writer.schedule(id);
      await vi.advanceTimersByTimeAsync(WAIT / 2);
    }
    expect(place.writes - before).toBeGreaterThanOrEqual(2);
    expect(place.writes - before).toBeLessThanOrEqual(4);
  });

  it("does not write over a version from elsewhere, and keeps its own in the browser", async () => {
    const { place, writer, drafts } = room();
    const id = await opened(place, "workflows/a.json");
    await place.write("workflows/a.json", "theirs", { over: "any" });
    rename(id, "mine");
    expect((await writer.save(id)).kind).toBe("conflict");
    expect(place.files.get("workflows/a.json")?.text).toBe("theirs");
    expect(keepingOf(id).state).toBe("changed");
    expect(drafts.held.get("workflows/a.json")?.text).toContain("mine");
  });

  it("takes the same words from elsewhere for its own", async () => {
    const { place, writer } = room();
    const id = await opened(place, "workflows/a.json");
    rename(id, "same");
    const { id: documentId } = tab(id).history.present;
    await place.write("workflows/a.json", JSON.stringify([documentId, "same"]), { over: "any" });
    expect((await writer.save(id)).kind).toBe("written");
    expect(keepingOf(id).state).toBe("saved");
  });

  it("keeps words in the browser while the server is away, and writes them when it is back", async () => {
    const { place, writer, drafts } = room();
    const id = await opened(place, "workflows/a.json");
    place.state = "away";
    rename(id, "offline");
    await writer.save(id);
    expect(keepingOf(id).state).toBe("away");
    expect(drafts.held.get("workflows/a.json")?.text).toContain("offline");
    place.state = "up";
    writer.retry();
    await vi.advanceTimersByTimeAsync(1);
    expect(place.files.get("workflows/a.json")?.text).toContain("offline");
    expect(drafts.held.size).toBe(0);
  });

  it("knows its own words again when only the answer got lost", async () => {
    const { place, writer } = room();
    const id = openTab(emptyDocument("draft-1"), "Untitled");
    place.state = "deaf";
    rename(id, "one");
    await writer.save(id);
    place.state = "up";
    rename(id, "two");
    expect((await writer.save(id)).kind).toBe("written");
    expect(place.files.get(placeOf(tab(id)))?.text).toContain("two");
  });

  it("never sends two versions of a workflow at once", async () => {
    const { place, writer } = room();
    const id = await opened(place, "workflows/a.json");
    rename(id, "one");
    const first = writer.save(id);
    rename(id, "two");
    const second = writer.save(id);
    expect([(await first).kind, (await second).kind]).toEqual(["written", "written"]);
    expect(place.files.get("workflows/a.json")?.text).toContain("two");
    expect(tab(id).kept?.etag).toBe(place.files.get("workflows/a.json")?.etag);
  });

  it("makes no new file where there is one of that name", async () => {
    const { place, writer } = room();
    await place.write("workflows/taken.json", "other", { over: null });
    const id = openTab(emptyDocument("draft-2"), "Untitled");
    expect((await writer.keepAt(id, "workflows/taken.json")).kind).toBe("conflict");
    expect(place.files.get("workflows/taken.json")?.text).toBe("other");
    expect(tab(id).kept).toBeNull();
  });

  it("says and does nothing more about a tab that was closed while it was written", async () => {
    const { place, writer } = room();
    const id = await opened(place, "workflows/a.json");
    place.state = "away";
    rename(id, "late");
    const writing = writer.save(id);
    writer.forget(id);
    closeTab(id);
    dropKeeping(id);
    await writing;
    expect([...useKeeping.getState().keeping.keys()]).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("sends what is unwritten when the page goes, and keeps it in the browser too", async () => {
    const { place, writer, drafts } = room();
    const id = await opened(place, "workflows/a.json");
    rename(id, "last words");
    writer.flush(true);
    await vi.advanceTimersByTimeAsync(1);
    expect(place.files.get("workflows/a.json")?.text).toContain("last words");
    expect(drafts.held.get("workflows/a.json")?.text).toContain("last words");
  });
});
