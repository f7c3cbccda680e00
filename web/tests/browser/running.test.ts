/** Running, waiting and stopping, and what nodes show of it. */

import type { Locator } from "playwright-core";
import { afterEach, expect, test } from "vitest";

import { complaintsOf } from "./browser";
import { eventually } from "./server";
import { editor, page, server, setTheStage } from "./stage";
import { addPreview, textToImage } from "./workflows";

/** So many that a run cannot end before the test stops it. */
const MANY_STEPS = 2000;

setTheStage();

afterEach(async () => {
  expect(complaintsOf(page)).toEqual([]);
  await repeat(1);
});

async function repeat(times: number): Promise<void> {
  await page.getByRole("textbox", { name: "How many times to run" }).fill(String(times));
  await page.keyboard.press("Tab");
}

interface Job {
  readonly id: string;
  readonly status: string;
  readonly priority: number;
}

async function jobs(...statuses: readonly string[]): Promise<Job[]> {
  const { jobs } = await server.json<{ jobs: Job[] }>("/api/jobs");
  return jobs.filter((each) => statuses.length === 0 || statuses.includes(each.status));
}

async function pictures(): Promise<number> {
  return (await server.json<{ pictures: unknown[] }>("/api/pictures")).pictures.length;
}

/** The ids of the waiting jobs, in the order in which they shall run. */
async function waiting(): Promise<string[]> {
  return (await jobs("pending")).toSorted((a, b) => a.priority - b.priority).map((each) => each.id);
}

async function seedOf(id: string): Promise<number> {
  const job = await server.json<{ workflow: { prompt: Record<string, { inputs: { seed: number } }> } }>(
    `/api/jobs/${id}`,
  );
  return job.workflow.prompt["3"]?.inputs.seed ?? Number.NaN;
}

async function expectRunning(node: Locator): Promise<void> {
  await eventually(
    async () => /running [1-9]/.test((await node.getAttribute("aria-label")) ?? ""),
    "it to run",
    60_000,
  );
}

test("run three times with a random seed makes three seeds and three pictures", async () => {
  await editor.open("three", textToImage({ steps: 2, control: "randomize" }), 7);
  const before = await pictures();
  await repeat(3);
  await editor.run();
  await eventually(async () => (await jobs("completed")).length === 3, "three jobs to end");
  const seeds = await Promise.all((await jobs("completed")).map((each) => seedOf(each.id)));
  expect(new Set(seeds).size).toBe(3);
  expect(await pictures()).toBe(before + 3);
  const shown = await editor.number(editor.node("KSampler"), "seed").getAttribute("aria-valuetext");
  expect(seeds.map(String)).not.toContain(shown); // the seed of the next run stands there
});

test("run to a chosen output draws that one alone", async () => {
  await editor.open("chosen", textToImage({ steps: 2, seed: 21, change: addPreview }), 8);
  const before = await pictures();
  const preview = editor.node("Preview Image");
  await preview.getByText("Preview Image").first().click();
  await page.keyboard.press("Alt+Enter");
  await editor.picture(preview);
  await editor.expectState(preview, "done");
  const save = editor.node("Save Image");
  expect(await save.locator("img").count()).toBe(0);
  expect(await save.getAttribute("data-state")).toBe("idle");
  expect(await pictures()).toBe(before);

  await editor.run();
  await editor.picture(save);
  expect(await pictures()).toBe(before + 1);
});

test("while it samples a node shows the picture in the making; stopping it leaves nothing running", async () => {
  await editor.open("stopped", textToImage({ steps: MANY_STEPS, seed: 31 }), 7);
  await editor.run();
  const sampler = editor.node("KSampler");
  await expectRunning(sampler);
  const preview = sampler.getByRole("img", { name: "Picture in the making" });
  await preview.waitFor();
  const sizes = await preview.evaluate((each) => [
    (each as HTMLImageElement).src.slice(0, 5),
    (each as HTMLImageElement).naturalWidth > 0,
  ]);
  expect(sizes).toEqual(["blob:", true]);

  await page.getByRole("button", { name: "Stop the running job" }).click();
  await editor.expectState(sampler, "idle");
  await preview.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Stop the running job" }).waitFor({ state: "hidden" });
  expect(await jobs("in_progress", "pending")).toEqual([]);
  expect((await jobs("cancelled")).length).toBe(1);
});

test("the keys that stop do so while the Run button has the focus, and queue nothing", async () => {
  await editor.open("keys", textToImage({ steps: MANY_STEPS, seed: 35 }), 7);
  const before = (await jobs()).length;
  await page.getByRole("button", { name: "Run", exact: true }).focus();
  await page.keyboard.press("Enter");
  await expectRunning(editor.node("KSampler"));
  await page.keyboard.press("Control+Alt+Enter");
  await eventually(async () => (await jobs("in_progress", "pending")).length === 0, "nothing to run");
  expect((await jobs()).length).toBe(before + 1);
  await page.keyboard.press("Control+Alt+Enter"); // nothing to stop: nothing begins either
  await page.waitForTimeout(300);
  expect((await jobs()).length).toBe(before + 1);
});

test("waiting jobs are put in another order by keyboard, and cleared, while the running one goes on", async () => {
  await editor.open("long", textToImage({ steps: MANY_STEPS, seed: 41 }), 7);
  await editor.run();
  const sampler = editor.node("KSampler");
  await expectRunning(sampler);
  await editor.open("queued", textToImage({ steps: 2, seed: 51, control: "increment" }), 7);
  await repeat(3);
  await editor.run();
  await eventually(async () => (await waiting()).length === 3, "three jobs to wait", 20_000);
  const order = await waiting();
  expect(await Promise.all(order.map(seedOf))).toEqual([51, 52, 53]);

  await page.keyboard.press("q");
  const rows = page.getByRole("grid", { name: "Waiting" }).getByRole("row");
  const shown = async (): Promise<(string | null)[]> =>
    rows.evaluateAll((all) => all.map((each) => (each as HTMLElement).dataset["key"] ?? null));
  await eventually(async () => (await shown()).join(" ") === order.join(" "), "the jobs in their order", 10_000);
  const [first, second, third] = order;
  const menu = rows.nth(2).getByRole("button", { name: "Actions for queued" });
  const hasFocus = () => menu.evaluate((each) => each === document.activeElement || (each.focus(), false));
  await expect.poll(hasFocus, { interval: 200 }).toBe(true); // and keeps it
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: "Run next" }).waitFor();
  await page.keyboard.press("Enter"); // the first of the menu
  const turned = [third, first, second].join(" ");
  await eventually(async () => (await waiting()).join(" ") === turned, "the third to be next", 10_000);
  await eventually(async () => (await shown()).join(" ") === turned, "the rows to follow", 10_000);

  await page.getByRole("button", { name: "Clear", exact: true }).click();
  const question = page.getByRole("alertdialog", { name: "Take out everything that waits?" });
  await question.getByRole("button", { name: "Clear" }).click();
  await eventually(async () => (await waiting()).length === 0, "nothing to wait", 10_000);
  await rows.first().waitFor({ state: "hidden" });
  expect((await jobs("in_progress")).length).toBe(1);
  await page.getByRole("button", { name: "Stop long" }).click();
  await page.getByText("Nothing is running").waitFor();
  expect(await jobs("in_progress", "pending")).toEqual([]);
  await page.keyboard.press("q");
});

test("nodes say how long they took, and on the next run which were taken from the last", async () => {
  await editor.open("again", textToImage({ steps: 3, seed: 61 }), 7);
  await editor.run();
  const [sampler, save] = [editor.node("KSampler"), editor.node("Save Image")];
  await editor.picture(save);
  await editor.expectState(sampler, "done");
  expect(await sampler.getAttribute("aria-label")).toMatch(/done in \d+(\.\d)? (ms|s)/);
  await sampler.getByText(/^\d+(\.\d)? (ms|s)$/).waitFor();
  const first = await save.locator("img").getAttribute("src");

  await save.getByRole("textbox", { name: "filename_prefix" }).fill("other");
  await page.keyboard.press("Escape");
  await editor.run();
  await editor.expectState(sampler, "cached");
  await sampler.getByText("cached", { exact: true }).waitFor();
  await eventually(async () => (await save.locator("img").getAttribute("src")) !== first, "the other picture", 20_000);
  await editor.expectState(save, "done");
  expect(await editor.node("Load Checkpoint").getAttribute("data-state")).toBe("cached");
});
