/**
 * Takes the pictures of the editor that the docs show, from a real server with the model that ships:
 * `npm run pictures`, or some of them: `npm run pictures -- -t "mask"`. They go to docs/pictures, or to $PICTURES.
 */

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";

import { launch, openPage } from "../browser/browser";
import { Editor } from "../browser/editor";
import { eventually, python, ROOT, Server } from "../browser/server";

const FOLDER = process.env["PICTURES"] ?? join(ROOT, "docs/pictures");
const SUBJECTS = [
  "rocket, flat vector",
  "yellow star, 3d render",
  "blue heart, flat vector",
  "penguin, 3d render, on a teal background",
  "cupcake, 3d render",
  "whale, flat vector, on a navy background",
  "cactus, flat vector",
  "hamburger, 3d render",
  "owl, flat vector",
  "fox, flat vector",
  "fox, 3d render",
];
/** Takes long enough to be looked at. */
const SLOWLY = 600;

/** As the browser made it where that is small; else in 256 colours. */
const SMALLER = `
import os, sys
from PIL import Image
path = sys.argv[1]
picture = Image.open(path).convert("RGB")
picture.save(path, optimize=True)
if os.path.getsize(path) > 200_000:
    picture.quantize(256, kmeans=3, dither=Image.Dither.NONE).save(path, optimize=True)
`;

let server: Server;
let browser: Browser;

beforeAll(async () => {
  mkdirSync(FOLDER, { recursive: true });
  [server, browser] = await Promise.all([Server.start(), launch()]);
  await drawAll();
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

/** Fills the gallery and the history, as a user's own day would. */
async function drawAll(): Promise<void> {
  const prompt = await textToImage();
  for (const [seed, text] of SUBJECTS.entries()) {
    prompt["6"].inputs["text"] = text;
    prompt["3"].inputs["seed"] = seed;
    await server.json("/api/prompt", { method: "POST", body: JSON.stringify({ prompt }) });
  }
  await idle();
}

async function idle(): Promise<void> {
  await eventually(async () => {
    const queue = await server.json<{ queue_running: unknown[]; queue_pending: unknown[] }>("/api/queue");
    return queue.queue_running.length + queue.queue_pending.length === 0;
  }, "the queue to be empty");
}

type Prompt = Record<"3" | "6", { inputs: Record<string, unknown> }>;

async function textToImage(): Promise<Prompt> {
  return JSON.parse(await readFile(join(ROOT, "workflows/text_to_image.json"), "utf-8")) as Prompt;
}

interface Look {
  readonly theme?: "dark" | "light";
  readonly language?: string;
}

/** The editor with its default workflow, in a browser that has never been here. */
async function open(look: Look = {}, options: BrowserContextOptions = {}): Promise<Editor> {
  for (const name of await server.json<string[]>("/api/userdata?dir=.&recurse=true").catch(() => [])) {
    await fetch(`${server.address}/api/userdata/${encodeURIComponent(name)}`, { method: "DELETE" });
  }
  const page = await openPage(browser, server.address, {
    colorScheme: look.theme ?? "dark",
    locale: look.language ?? "en-US",
    ...options,
  });
  page.setDefaultTimeout(8_000);
  const editor = new Editor(page);
  await page.locator(".react-flow__node").first().waitFor({ state: "attached" });
  return editor;
}

async function take(page: Page, name: string): Promise<void> {
  const path = join(FOLDER, `${name}.png`);
  await page.waitForTimeout(400);
  await page.screenshot({ path });
  execFileSync(python(), ["-c", SMALLER, path]);
  await page.context().close();
}

test("chinese_dark: the editor in Chinese", async () => {
  const editor = await open({ language: "zh-CN" });
  const { page } = editor;
  await page.keyboard.press("Control+Enter");
  await editor.picture(editor.node("Save Image"));
  await idle();
  await page.keyboard.press("q");
  await page.getByRole("tab").nth(1).click();
  await page.getByRole("tabpanel").locator("img").first().waitFor();
  await editor.node("KSampler").click({ position: { x: 60, y: 10 } });
  await page.keyboard.press("Shift+Period");
  await page.mouse.move(700, 780);
  await take(page, "chinese_dark");
});

for (const theme of ["dark", "light"] as const) {
  test(`editor_${theme}: the default workflow and what it drew`, async () => {
    const editor = await open({ theme });
    await editor.run();
    await editor.picture(editor.node("Save Image"));
    await idle();
    await editor.page.mouse.move(700, 780);
    await take(editor.page, `editor_${theme}`);
  });

  test(`running_${theme}: a preview, and two that wait`, async () => {
    const editor = await open({ theme });
    const { page } = editor;
    await editor.type(editor.node("KSampler"), "steps", String(SLOWLY));
    await page.keyboard.press("Escape");
    await page.keyboard.press("q");
    for (let i = 0; i < 3; i++) await page.keyboard.press("Control+Enter");
    await page.keyboard.press("Shift+Period"); // everything in view, beside the drawer
    await editor.picture(editor.node("KSampler"));
    await page.getByText("2 jobs waiting").waitFor();
    await take(page, `running_${theme}`);
    await server.json("/api/queue", { method: "POST", body: JSON.stringify({ clear: true }) }).catch(() => null);
    await fetch(`${server.address}/api/interrupt`, { method: "POST" });
    await idle();
  });

  test(`palette_${theme}: nodes by name`, async () => {
    const { page } = await open({ theme });
    await page.keyboard.press("Space");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.type("sam");
    await page.getByRole("option").first().waitFor();
    await take(page, `palette_${theme}`);
  });

  test(`gallery_${theme}: everything drawn`, async () => {
    const { page } = await open({ theme });
    await page.keyboard.press("g");
    await page
      .getByRole("complementary")
      .locator("img")
      .nth(SUBJECTS.length - 1)
      .waitFor();
    await page.keyboard.press("Shift+Period");
    await take(page, `gallery_${theme}`);
  });

  test(`problems_${theme}: what keeps a workflow from running, and the outline`, async () => {
    const editor = await open({ theme });
    const { page } = editor;
    await editor.node("Empty Latent Image").click({ position: { x: 60, y: 10 } });
    await page.keyboard.press("Delete");
    await page.keyboard.press("l");
    await page.keyboard.press("Shift+Period");
    await editor.run();
    await page.getByText("latent_image needs a wire").first().waitFor();
    await take(page, `problems_${theme}`);
  });

  test(`mask_${theme}: painting a mask`, async () => {
    const editor = await open({ theme });
    const { page } = editor;
    await page.keyboard.press("w");
    await page
      .getByRole("button", { name: /^Inpaint/ })
      .first()
      .click();
    await editor.node("Picture and mask").getByRole("button", { name: "Paint mask" }).click();
    await page.getByRole("dialog").locator("canvas").first().waitFor();
    await page.mouse.move(1130, 300);
    await take(page, `mask_${theme}`);
  });
}
