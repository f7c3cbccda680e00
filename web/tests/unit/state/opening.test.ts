import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";

import { useNodeTypes } from "@/state/node_types";
import { busyWith, openContent, openEmpty, openFile, tellUnknownTypes, useOpening } from "@/state/opening";
import { useToasts } from "@/state/toasts";
import { useWorkbench } from "@/state/workbench";

import { coreObjectInfo, typesOf } from "../format/server";

const FILE = readFileSync(new URL("../../../../workflows/text_to_image.editor.json", import.meta.url), "utf8");

function tabs() {
  return useWorkbench.getState().tabs;
}

function toasts() {
  return useToasts.getState().toasts;
}

beforeEach(() => {
  useWorkbench.setState({ tabs: [], active: null });
  useToasts.setState({ toasts: [] });
  useNodeTypes.setState({ types: new Map(), status: "waiting", message: "" });
  useOpening.setState({ busy: null, picture: null });
});

describe("opening before the node types are known", () => {
  const FOREIGN = FILE.replaceAll('"KSampler"', '"FancySampler"');

  it("calls no node unknown", () => {
    openContent(FILE, "apple.json");
    openContent(FOREIGN, "foreign.json");
    expect(toasts()).toEqual([]);
    expect(tabs().flatMap((tab) => tab.notes)).toEqual([]);
  });

  it("says which are when the types have come", () => {
    openContent(FILE, "apple.json");
    openContent(FOREIGN, "foreign.json");
    useNodeTypes.setState({ types: typesOf(coreObjectInfo()), status: "ready", message: "" });
    tellUnknownTypes();
    expect(toasts().map((each) => each.text)).toEqual(["foreign was opened, but:"]);
    expect(toasts()[0]?.detail).toContain("FancySampler");
    expect(toasts()[0]?.detail).not.toContain("VAEDecode");
    expect(tabs().map((tab) => tab.notes.length)).toEqual([0, 1]);
  });

  it("says it at once when they are known", () => {
    useNodeTypes.setState({ types: typesOf(coreObjectInfo()), status: "ready", message: "" });
    openContent(FOREIGN, "foreign.json");
    expect(toasts()[0]?.detail).toContain("FancySampler");
  });
});

describe("opening", () => {
  it("shows a workflow in a tab of its own, named after its file", () => {
    openContent(FILE, "text_to_image.editor.json");
    expect(tabs().map((tab) => tab.name)).toEqual(["text_to_image"]);
    expect(tabs()[0]?.history.present.root.nodes.size).toBe(7);
    expect(tabs()[0]?.kept).toBeNull();
  });

  it("tells two openings of one file apart", () => {
    openContent(FILE, "a.json");
    openContent(FILE, "a.json");
    const [one, other] = tabs();
    expect([one?.name, other?.name]).toEqual(["a", "a (2)"]);
    expect(one?.history.present.id).not.toBe(other?.history.present.id);
  });

  it("says what is wrong with a broken file, and leaves what is on screen", () => {
    const shown = openEmpty();
    expect(openContent(FILE.slice(0, 500), "cut.json")).toBeNull();
    expect(useWorkbench.getState().active).toBe(shown);
    expect(tabs()).toHaveLength(1);
    expect(toasts()[0]?.tone).toBe("error");
    expect(toasts()[0]?.detail).not.toBe("");
  });

  it("asks what a picture without a workflow is for", async () => {
    const [pixel] = [new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10])];
    await openFile(new File([pixel ?? ""], "apple.png", { type: "image/png" }));
    expect(useOpening.getState().picture?.name).toBe("apple.png");
    expect([tabs().length, toasts().length]).toEqual([0, 0]);
  });

  it("refuses what no browser could hold without reading it", async () => {
    const huge = {
      name: "huge.json",
      size: 2 ** 31,
      type: "application/json",
      text: () => Promise.reject(new Error()),
    };
    expect(await openFile(huge as unknown as File)).toBeNull();
    expect(toasts()).toHaveLength(1);
  });

  it("is seen while it takes long, and over when it failed", async () => {
    const seen: (string | null)[] = [];
    const work = busyWith("big.json", 20_000_000, async () => {
      seen.push(useOpening.getState().busy);
      throw new Error("broken");
    });
    await expect(work).rejects.toThrow("broken");
    expect([...seen, useOpening.getState().busy]).toEqual(["big.json", null]);
  });
});
