import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";

import { type Question, useLayout } from "@/panels/layout";
import { askToCloseAll } from "@/panels/tabs/close";
import { fileText, theKeeper } from "@/state/keeping";
import { giveName } from "@/state/keeping_shelf";
import { useKeeping } from "@/state/keeping_writer";
import { openContent } from "@/state/opening";
import { edit, useWorkbench } from "@/state/workbench";

import { drawer, shelf } from "../state/keeping_room";

const FILE = readFileSync(new URL("../../../../workflows/text_to_image.editor.json", import.meta.url), "utf8");
const place = shelf();
theKeeper({ place, drafts: drawer(), textOf: fileText, tell: () => undefined });

function opened(name: string, isChanged: boolean): string {
  const id = openContent(FILE, name) ?? "";
  if (!isChanged) return id;
  edit("edit.rename", (document) => ({ ...document, root: { ...document.root, name } }), { tab: id });
  return id;
}

function question(): Question | null {
  return useLayout.getState().question;
}

beforeEach(() => {
  place.state = "up";
  useWorkbench.setState({ tabs: [], active: null });
  useKeeping.setState({ keeping: new Map() });
  useLayout.setState({ question: null });
});

describe("closing several tabs", () => {
  it("asks about each that would be lost, and closes the others at once", async () => {
    const named = opened("named", true);
    await giveName(named, "named");
    const [one, clean, other, kept] = [opened("1", true), opened("2", false), opened("3", true), opened("4", true)];
    askToCloseAll([named, one, clean, other]);
    expect(question()).toEqual({ kind: "close", tab: one, others: [other] });
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(useWorkbench.getState().tabs.map((each) => each.id)).toEqual([one, other, kept]);
    useLayout.setState({ question: null });
    askToCloseAll([other]);
    expect(question()).toEqual({ kind: "close", tab: other, others: [] });
  });

  it("asks when it turns out that one cannot be written", async () => {
    const id = opened("late", false);
    await giveName(id, "late");
    edit("edit.rename", (document) => ({ ...document, root: { ...document.root, name: "x" } }), { tab: id });
    place.state = "away";
    askToCloseAll([id]);
    expect(question()).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(question()).toEqual({ kind: "close", tab: id, others: [] });
    expect(useWorkbench.getState().tabs).toHaveLength(1);
  });

  it("asks nothing when nothing would be lost", () => {
    askToCloseAll([opened("1", false), opened("2", false)]);
    expect([question(), useWorkbench.getState().tabs]).toEqual([null, []]);
  });
});
