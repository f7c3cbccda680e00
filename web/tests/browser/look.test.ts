/** Looking at what was drawn: the gallery, one picture over the whole window, two compared, and the history of jobs. */

import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { complaintsOf, launch, openPage } from "./browser";
import { Editor } from "./editor";
import { eventually, Server } from "./server";
import { textToImage } from "./workflows";

const DRAWN = ["Latentwire_00003_.png", "Latentwire_00002_.png", "Latentwire_00001_.png"]; // the newest first
const WORDS = ["green apple", "yellow star", "blue house"];

let server: Server;
let browser: Browser;
let page: Page;
let editor: Editor;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  page = await openPage(browser, server.address);
  editor = new Editor(page);
  await editor.ready();
  for (const [i, text] of WORDS.entries()) {
    await editor.open(`drawn ${i + 1}`, textToImage({ steps: 2, seed: 100 + i, text }), 7);
    await editor.run();
    await editor.picture(editor.node("Save Image"));
  }
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

afterEach(() => {
  expect(complaintsOf(page)).toEqual([]);
});

/** The file that an image element shows, decoded. */
async function shownIn(name: string | RegExp): Promise<string> {
  const image = page.getByRole("img", { name });
  await image.waitFor();
  await eventually(
    () => image.evaluate((each) => (each as HTMLImageElement).complete && (each as HTMLImageElement).naturalWidth > 0),
    "the picture to be there",
    20_000,
  );
  return new URL((await image.getAttribute("src")) ?? "", server.address).searchParams.get("filename") ?? "";
}

async function width(name: string): Promise<number> {
  return (await page.getByRole("img", { name }).boundingBox())?.width ?? 0;
}

/** What tells the three workflows apart. */
async function opened(): Promise<[string, string | null]> {
  await page.keyboard.press("Shift+Period");
  const text = await editor.node("Positive").getByRole("textbox", { name: "text" }).inputValue();
  return [text, await editor.number(editor.node("KSampler"), "seed").getAttribute("aria-valuetext")];
}

test("the gallery shows the newest first, and one over the whole window with next, previous and zoom", async () => {
  await page.getByRole("button", { name: "Gallery", exact: true }).click();
  const pictures = page.getByRole("group", { name: /^Drawn pictures/ }).locator("[data-index]");
  await eventually(async () => (await pictures.count()) === 3, "three pictures", 15_000);
  const labels = await pictures.evaluateAll((all) => all.map((each) => each.getAttribute("aria-label") ?? ""));
  expect(labels.map((each) => each.split(",")[0])).toEqual(DRAWN);

  await pictures.first().click();
  const window = page.getByRole("dialog", { name: DRAWN[0] ?? "" });
  await window.waitFor();
  expect(await shownIn(`Picture ${DRAWN[0]}`)).toBe(DRAWN[0]);
  await window.getByText("1 of 3 · 128 × 128").waitFor();
  expect(await window.getByRole("button", { name: "Previous picture" }).count()).toBe(0);

  await page.keyboard.press("ArrowRight");
  expect(await shownIn(`Picture ${DRAWN[1]}`)).toBe(DRAWN[1]);
  await page.getByRole("button", { name: "Next picture" }).click();
  expect(await shownIn(`Picture ${DRAWN[2]}`)).toBe(DRAWN[2]);
  await page.keyboard.press("ArrowLeft");
  expect(await shownIn(`Picture ${DRAWN[1]}`)).toBe(DRAWN[1]);

  const fitted = await width(`Picture ${DRAWN[1]}`);
  await page.getByRole("button", { name: "Zoom in" }).click();
  await expect.poll(() => width(`Picture ${DRAWN[1]}`)).toBeGreaterThan(fitted * 1.1);
  await page.getByRole("button", { name: "Fit to window" }).click();
  await expect.poll(() => width(`Picture ${DRAWN[1]}`)).toBeCloseTo(fitted, 0);
  await page.mouse.move(700, 450);
  await page.mouse.wheel(0, -300);
  await expect.poll(() => width(`Picture ${DRAWN[1]}`)).toBeGreaterThan(fitted * 1.1);
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
});

test("two pictures are compared with a line that moves by keyboard", async () => {
  const group = page.getByRole("group", { name: /^Drawn pictures/ });
  await group.locator("[data-index='0']").focus();
  await page.keyboard.press("Space");
  await page.keyboard.press("End");
  await expect
    .poll(() => group.locator("[data-index='2']").evaluate((each) => each === document.activeElement))
    .toBe(true);
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Compare", exact: true }).click();
  await page.getByRole("dialog", { name: "Compare" }).waitFor();
  const shown = [await shownIn(/^Picture A: /), await shownIn(/^Picture B: /)];
  expect(shown.toSorted()).toEqual([DRAWN[2], DRAWN[0]]);

  const line = page.getByRole("slider", { name: "Line between A and B" });
  expect(await line.getAttribute("aria-valuenow")).toBe("50");
  const clip = () =>
    page.evaluate(() => {
      const clipped = [...document.querySelectorAll<HTMLElement>("[role=dialog] *")].find(
        (each) => each.style.clipPath !== "",
      );
      return Number(/inset\(\S+ ([\d.]+)px/.exec(clipped?.style.clipPath ?? "")?.[1]);
    });
  await expect.poll(() => line.evaluate((each) => each === document.activeElement)).toBe(true);
  const middle = await clip();
  for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowRight");
  expect(Number(await line.getAttribute("aria-valuenow"))).toBeGreaterThan(50);
  expect(await clip()).toBeLessThan(middle);
  await page.keyboard.press("Home");
  expect(await line.getAttribute("aria-valuenow")).toBe("0");
  await page.keyboard.press("End");
  expect(await line.getAttribute("aria-valuetext")).toBe("A on the left 100 %");

  await page.keyboard.press("x");
  await eventually(async () => (await shownIn(/^Picture A: /)) === shown[1], "the two to change places", 10_000);
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Clear", exact: true }).click();
});

test("the exact workflow of a picture comes back, from the gallery and from the whole window", async () => {
  const pictures = page.getByRole("group", { name: /^Drawn pictures/ }).locator("[data-index]");
  await pictures.nth(2).click({ button: "right" });
  await page.getByRole("menuitem", { name: "Open workflow" }).click();
  await eventually(async () => (await editor.tab().innerText()).startsWith("Latentwire_00001_"), "its tab", 15_000);
  await editor.expectNodes(7);
  expect(await opened()).toEqual(["green apple", "100"]);

  await pictures.nth(1).click();
  await page.getByRole("dialog").getByRole("button", { name: "Open workflow" }).click();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await eventually(async () => (await editor.tab().innerText()).startsWith("Latentwire_00002_"), "its tab", 15_000);
  await editor.expectNodes(7);
  expect(await opened()).toEqual(["yellow star", "101"]);
  // By value the same prompt: nothing of it is drawn anew but the file.
  await editor.run();
  await editor.picture(editor.node("Save Image"));
  await editor.expectState(editor.node("KSampler"), "cached");
});

async function jobs(): Promise<number> {
  return (await server.json<{ pagination: { total: number } }>("/api/jobs")).pagination.total;
}

test("the history shows each job with its picture, and runs one again", async () => {
  const before = await jobs();
  await page.getByRole("button", { name: "Queue and history" }).click();
  await page.getByRole("tab", { name: "History" }).click();
  const list = page.getByRole("list", { name: "History" });
  const rows = list.getByRole("listitem");
  await eventually(async () => (await rows.count()) === before, "all jobs", 15_000);
  const loaded = () =>
    list.locator("img").evaluateAll((all) => all.map((each) => (each as HTMLImageElement).naturalWidth > 0));
  await eventually(async () => (await loaded()).length >= 3 && (await loaded()).every(Boolean), "thumbnails", 15_000);

  const oldest = rows.last();
  await oldest.getByRole("button", { name: /^Actions for/ }).click();
  await page.getByRole("menuitem", { name: "Run again" }).click();
  await page.getByText(/is queued again/).waitFor();
  await eventually(async () => (await rows.count()) === before + 1, "one job more", 30_000);
  expect(await jobs()).toBe(before + 1);

  await rows
    .last()
    .getByRole("button", { name: /^Show pictures of/ })
    .click();
  expect(await shownIn(/^Picture /)).toBe(DRAWN[2]);
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
});

test("a job of no open workflow is called by its text in the history, and rows tell their seeds", async () => {
  interface Detail {
    readonly workflow: { readonly prompt: Readonly<Record<string, { inputs: Record<string, unknown> }>> };
  }
  const [last] = (await server.json<{ jobs: { id: string }[] }>("/api/jobs")).jobs;
  const { prompt } = (await server.json<Detail>(`/api/jobs/${last?.id ?? ""}`)).workflow;
  const sampler = Object.values(prompt).find((each) => "seed" in each.inputs);
  const words = prompt[(sampler?.inputs["positive"] as readonly string[] | undefined)?.[0] ?? ""];
  if (sampler === undefined || words === undefined) throw new Error("no sampler, no words");
  sampler.inputs["seed"] = 4711;
  words.inputs["text"] = "a kite over the sea";
  const body = JSON.stringify({ prompt });
  await server.json("/api/prompt", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  const history = page.getByRole("list", { name: "History" });
  const row = history.getByRole("listitem").filter({ hasText: "seed 4711" });
  await row.waitFor({ timeout: 30_000 });
  expect(await row.getByText("a kite over the sea", { exact: true }).count()).toBe(1);
  expect(complaintsOf(page)).toEqual([]);
});
