/** What is said of a workflow that the server does not keep. */

import { afterAll, beforeEach, expect, test } from "vitest";

import { emptyDocument } from "@/graph/document";
import { tellUnkept } from "@/panels/files/unkept";
import { setKeeping } from "@/state/keeping_writer";
import { useToasts } from "@/state/toasts";
import { openTab } from "@/state/workbench";
import { t } from "@/texts/index";

const end = tellUnkept();
afterAll(end);
beforeEach(() => useToasts.setState({ toasts: [] }));

function said(): string[] {
  return useToasts.getState().toasts.map(({ text, detail }) => `${text}: ${detail}`);
}

test("that a workflow cannot be saved is said once, with the server's reason and a way out", () => {
  const id = openTab(emptyDocument("a"), "big", {});
  setKeeping(id, "failed", "too large");
  expect(said()).toEqual([`${t("keeping.failed", { name: "big" })}: too large`]);
  expect(useToasts.getState().toasts[0]?.action?.label).toBe(t("keeping.export"));
  useToasts.setState({ toasts: [] });
  for (let i = 0; i < 3; i++) {
    setKeeping(id, "saving");
    setKeeping(id, "failed", "too large");
  }
  expect(said()).toEqual([]);
});

test("another reason, or the same after it was saved, is news", () => {
  const id = openTab(emptyDocument("b"), "big", {});
  setKeeping(id, "failed", "too large");
  setKeeping(id, "failed", "the disk is full");
  setKeeping(id, "saved");
  setKeeping(id, "failed", "the disk is full");
  setKeeping(id, "away");
  expect(said().map((each) => each.split(": ")[1])).toEqual(["too large", "the disk is full"]);
  expect(useToasts.getState().given).toBe(4);
});
