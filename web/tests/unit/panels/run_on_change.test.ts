import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { type Document, emptyDocument } from "@/graph/document";
import { switchRunOnChange, useRunOnChange, watchChanges } from "@/panels/run/run_on_change";
import { useProblems } from "@/state/problems";
import { type Job, useRun } from "@/state/run";
import { activeTab, closeTab, edit, openTab, redo, undo } from "@/state/workbench";

const run = vi.hoisted(() => vi.fn(async () => "queued"));
vi.mock("@/state/running", () => ({ run }));

const waiting: Job = {
  id: "j",
  status: "pending",
  documentId: "d",
  number: 1,
  created: 0,
  started: null,
  ended: null,
  preview: null,
  outputs: 0,
  error: null,
};

let end: () => void;
let changes = 0;

beforeEach(() => {
  vi.useFakeTimers();
  run.mockClear();
  useRun.setState({ active: [] });
  useProblems.setState({ problems: new Map() });
  useRunOnChange.setState({ isOn: true });
  openTab(emptyDocument("d"), "x");
  end = watchChanges();
});

afterEach(() => {
  end();
  for (let tab = activeTab(); tab !== null; tab = activeTab()) closeTab(tab.id);
  vi.useRealTimers();
});

function change(name: Parameters<typeof edit>[0] = "edit.value"): void {
  edit(name, differ);
}

function differ(document: Document): Document {
  changes += 1;
  return { ...document, root: { ...document.root, lastNode: changes } };
}

/** Lets more time pass than all pauses take. */
function pass(): void {
  vi.advanceTimersByTime(5000);
}

describe("Run on change", () => {
  it("runs once, a moment after the last of several changes", () => {
    change();
    vi.advanceTimersByTime(300);
    change();
    expect(run).not.toHaveBeenCalled();
    pass();
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("runs once for all that was changed while the run before was waiting", () => {
    useRun.setState({ active: [waiting] });
    for (let i = 0; i < 5; i++) {
      change();
      vi.advanceTimersByTime(1000);
    }
    expect(run).not.toHaveBeenCalled();
    useRun.setState({ active: [] });
    pass();
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("runs nothing any more when it is switched off, whatever was changed before", () => {
    useRun.setState({ active: [waiting] });
    change();
    vi.advanceTimersByTime(1000);
    switchRunOnChange();
    useRun.setState({ active: [] });
    pass();
    switchRunOnChange();
    pass();
    expect(run).not.toHaveBeenCalled();
  });

  it("runs when a value is undone or done again, not when a move is", () => {
    change("edit.value");
    change("edit.move");
    pass();
    run.mockClear();
    undo(); // the move
    pass();
    expect(run).not.toHaveBeenCalled();
    undo(); // the value
    pass();
    expect(run).toHaveBeenCalledTimes(1);
    redo();
    pass();
    expect(run).toHaveBeenCalledTimes(2);
    redo();
    pass();
    expect(run).toHaveBeenCalledTimes(2);
  });

  it("runs no other workflow than the one that was changed", () => {
    change();
    openTab(emptyDocument("other"), "y");
    pass();
    expect(run).not.toHaveBeenCalled();
  });
});
