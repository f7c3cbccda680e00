import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { type Document, ROOT } from "@/graph/document";
import { disconnect } from "@/graph/edits/links";
import { moveTo } from "@/graph/edits/nodes";
import { setValue } from "@/graph/edits/values";
import { linkInto } from "@/graph/links";
import { useNodeTypes } from "@/state/node_types";
import { watchProblems } from "@/state/problem_watch";
import { type Problem, RUN_TOPIC, setProblems, useProblems } from "@/state/problems";
import { toast, useToasts } from "@/state/toasts";
import { closeTab, edit, openTab, undo } from "@/state/workbench";

import { graph, textToImage } from "../graph/build";
import { TYPES } from "../graph/node_types";

let stop: () => void;
let tab: string;
let document: Document;

beforeEach(() => {
  vi.useFakeTimers();
  useNodeTypes.setState({ types: TYPES, status: "ready" });
  useToasts.setState({ toasts: [] });
  document = textToImage();
  tab = openTab(document, "watched");
  stop = watchProblems();
});

afterEach(() => {
  stop();
  closeTab(tab);
  vi.useRealTimers();
});

function problem(from: Problem["from"], node: string, input: string | null): Problem {
  return { node, input, from, message: "wrong", detail: "" };
}

function left(): readonly string[] {
  const problems = useProblems.getState().problems.get(document.id) ?? [];
  return problems.map(({ node, input, from }) => `${from} ${node} ${input ?? ""}`);
}

test("what our own check found goes when it is mended, what is not mended stays, and the message goes with the last", () => {
  const wire = linkInto(graph(document), "5", 0);
  edit("edit.disconnect", (each) => setValue(disconnect(each, ROOT, [wire?.id ?? ""]), ROOT, TYPES, "5", "steps", 0));
  setProblems(document.id, [problem("check", "5", "model"), problem("check", "5", "steps")]);
  toast("error", "2 problems", { topic: RUN_TOPIC });
  edit("edit.value", (each) => setValue(each, ROOT, TYPES, "5", "steps", 4));
  expect(left()).toHaveLength(2); // while somebody still types
  vi.advanceTimersByTime(1000);
  expect(left()).toEqual(["check 5 model"]);
  expect(useToasts.getState().toasts).toHaveLength(1);
  undo();
  undo();
  vi.advanceTimersByTime(1000);
  expect(left()).toEqual([]);
  expect(useToasts.getState().toasts).toEqual([]);
});

test("what the server or a node said goes when that node's values or wires change, and by nothing else", () => {
  const all = [problem("server", "5", "steps"), problem("run", "6", null)];
  setProblems(document.id, all);
  edit("edit.move", (each) => moveTo(each, ROOT, new Map([["5", { x: 900, y: 900 }]])));
  edit("edit.value", (each) => setValue(each, ROOT, TYPES, "7", "filename_prefix", "other"));
  vi.advanceTimersByTime(1000);
  expect(left()).toEqual(["server 5 steps", "run 6 "]);
  edit("edit.value", (each) => setValue(each, ROOT, TYPES, "5", "steps", 9));
  expect(left()).toEqual(["run 6 "]);
  const wire = linkInto(graph(document), "6", 0);
  edit("edit.disconnect", (each) => disconnect(each, ROOT, [wire?.id ?? ""]));
  expect(left()).toEqual([]);
});
