/** A mask painted by hand decides what is drawn anew: with the mouse, and with the keyboard alone. */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { complaintsOf, launch, openPage } from "./browser";
import { Editor } from "./editor";
import { Keyboard } from "./keyboard";
import { eventually, python, ROOT, Server } from "./server";

/** What the model's VAE alone makes of the picture that the template loads. */
const ENCODED_AND_DECODED = {
  checkpoint: { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "latentwire_icons.safetensors" } },
  picture: { class_type: "LoadImage", inputs: { image: "latentwire_fox.png" } },
  encode: { class_type: "VAEEncode", inputs: { pixels: ["picture", 0], vae: ["checkpoint", 2] } },
  decode: { class_type: "VAEDecode", inputs: { samples: ["encode", 0], vae: ["checkpoint", 2] } },
  save: { class_type: "SaveImage", inputs: { images: ["decode", 0], filename_prefix: "unpainted" } },
};
/** Where the tests paint, in pixels of the picture (128 × 128). */
const AREA: Area = { left: 32, top: 32, right: 96, bottom: 96 };
/** Two cells of the latent picture: so far the mask's edge is felt when it is decoded. */
const EDGE = 16;
/** The folder of workflows is made with the first of them. */
const NO_FOLDER_YET = /404.*userdata\?dir=workflows/;

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

function pictures(): readonly string[] {
  const folder = join(server.folder, "output");
  return (existsSync(folder) ? readdirSync(folder) : []).filter((each) => each.endsWith(".png")).toSorted();
}

/** The mean difference of two pictures (0…255) inside an area, and outside of it and its soft edge. */
function difference(one: string, other: string, area: Area): { inside: number; outside: number } {
  const script = `
import json, sys
import numpy
from PIL import Image
one, other = (numpy.asarray(Image.open(path).convert("RGB"), dtype=float) for path in sys.argv[1:3])
left, top, right, bottom, edge = (int(each) for each in sys.argv[3:8])
far = numpy.abs(one - other).mean(axis=2)
outside = numpy.ones(far.shape, dtype=bool)
outside[max(0, top - edge) : bottom + edge, max(0, left - edge) : right + edge] = False
print(json.dumps({"inside": far[top:bottom, left:right].mean(), "outside": far[outside].mean()}))
`;
  const numbers = [area.left, area.top, area.right, area.bottom, EDGE].map((each) => String(Math.round(each)));
  const answer = execFileSync(python(), ["-c", script, one, other, ...numbers], { cwd: ROOT, encoding: "utf-8" });
  return JSON.parse(answer) as { inside: number; outside: number };
}

/** What was drawn last is the unpainted picture outside of the painted area, and another picture inside of it. */
async function expectRedrawn(before: readonly string[]): Promise<void> {
  await eventually(() => pictures().length > before.length, "a picture in the folder");
  const made = pictures().find((each) => !before.includes(each)) ?? "";
  const { inside, outside } = difference(await unpainted(), join(server.folder, "output", made), AREA);
  expect(outside).toBeLessThan(8); // the decoder looks further than the edge of the mask
  expect(inside).toBeGreaterThan(20);
}

async function unpainted(): Promise<string> {
  if (unpaintedName() === undefined) {
    const body = JSON.stringify({ prompt: ENCODED_AND_DECODED });
    await server.json("/api/prompt", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  }
  await eventually(() => unpaintedName() !== undefined, "the unpainted picture");
  return join(server.folder, "output", unpaintedName() ?? "");
}

function unpaintedName(): string | undefined {
  return pictures().find((each) => each.startsWith("unpainted"));
}

/** The name of the file that the node loads, as it stands in its field. */
function loaded(editor: Editor): Promise<string> {
  return editor.node("Picture and mask").innerText();
}

test("a rectangle painted with the mouse is drawn anew, and undo brings the unmasked picture back", async () => {
  const page = await openPage(browser, server.address);
  const editor = new Editor(page);
  await editor.ready();
  await page.getByRole("button", { name: "Workflows" }).click();
  await page.getByRole("button", { name: /^Inpaint\s*Draw/ }).click();
  const node = editor.node("Picture and mask");
  await node.waitFor();
  await page.keyboard.press("Shift+Period");
  await editor.node("Positive").getByRole("textbox", { name: "text" }).fill("blue heart, flat vector");
  await editor.type(editor.node("KSampler"), "steps", "6");

  await node.getByRole("button", { name: "Paint mask" }).click();
  await page.getByRole("button", { name: "Clear mask" }).click();
  await page.getByRole("button", { name: "Rectangle" }).click();
  const picture = await page.getByRole("application", { name: "Picture to paint on" }).locator("img").boundingBox();
  if (picture === null) throw new Error("the picture is not shown");
  const scale = picture.width / 128;
  await page.mouse.move(picture.x + AREA.left * scale, picture.y + AREA.top * scale);
  await page.mouse.down();
  await page.mouse.move(picture.x + AREA.right * scale, picture.y + AREA.bottom * scale, { steps: 5 });
  await page.mouse.up();
  await page.getByRole("button", { name: "Save mask" }).click();
  await eventually(async () => (await loaded(editor)).includes("latentwire_fox-mask-"), "the masked picture", 10_000);
  expect(await loaded(editor)).not.toContain("not found on the server");

  const before = pictures();
  await editor.run();
  await editor.picture(editor.node("Save Image"));
  await expectRedrawn(before);

  await page.keyboard.press("Control+KeyZ");
  await eventually(async () => !(await loaded(editor)).includes("-mask-"), "the picture without the mask", 10_000);
  expect(await loaded(editor)).toContain("latentwire_fox.png");
  expect(complaintsOf(page, NO_FOLDER_YET)).toEqual([]);
  await page.context().close();
});

test("the same is done with the keyboard alone", async () => {
  const page = await openPage(browser, server.address);
  const editor = new Editor(page);
  const hands = new Keyboard(page);
  await editor.ready();
  await page.keyboard.press("w");
  await page.getByRole("button", { name: /^Inpaint\s*Draw/ }).waitFor();
  await hands.tabTo("Inpaint");
  await page.keyboard.press("Enter");
  await editor.node("Picture and mask").waitFor();
  await page.keyboard.press("Shift+Period");
  await hands.set("Positive", "text", "blue heart, flat vector");
  await hands.set("KSampler", "steps", "6");

  await hands.goTo("Picture and mask");
  await page.keyboard.press("Enter");
  await hands.tabTo("Paint mask");
  await page.keyboard.press("Enter");
  await page.getByRole("application", { name: "Picture to paint on" }).waitFor();
  await page.keyboard.press("Delete");
  await page.keyboard.press("r");
  await moveBrush(page, AREA.left, AREA.top);
  await page.keyboard.press("Space");
  await moveBrush(page, AREA.right, AREA.bottom);
  await page.keyboard.press("Space");
  await hands.tabTo("Save mask");
  await page.keyboard.press("Enter");
  await eventually(async () => (await loaded(editor)).includes("latentwire_fox-mask-"), "the masked picture", 10_000);

  const before = pictures();
  await page.keyboard.press("Control+Enter");
  await editor.picture(editor.node("Save Image"));
  await expectRedrawn(before);
  expect(complaintsOf(page, NO_FOLDER_YET)).toEqual([]);
  await page.context().close();
});

/** Arrow by arrow, listening to where the brush is said to be. */
async function moveBrush(page: Page, x: number, y: number): Promise<void> {
  const said = page.locator("[aria-live=polite]", { hasText: /^Brush at/ });
  for (let i = 0; i < 200; i++) {
    const [, atX, atY] = /(\d+), (\d+)/.exec((await said.count()) > 0 ? await said.innerText() : "") ?? [];
    const [dx, dy] = atX === undefined ? [-1, 0] : [x - Number(atX), y - Number(atY)];
    if (dx === 0 && dy === 0) return;
    const key = dx < 0 ? "ArrowLeft" : dx > 0 ? "ArrowRight" : dy < 0 ? "ArrowUp" : "ArrowDown";
    await page.keyboard.press(Math.abs(dx === 0 ? dy : dx) < 10 ? `Shift+${key}` : key);
  }
  throw new Error(`the brush did not come to ${x}, ${y}`);
}
