/** What hands do on the canvas all day: duplicate, align, colour, look for what fits, and never lose a node below another. */

import { expect, test } from "vitest";

import { complaintsOf } from "./browser";
import { eventually } from "./server";
import { editor, page, setTheStage } from "./stage";
import { textToImage } from "./workflows";

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

setTheStage();

async function boxOf(title: string, nth = 0): Promise<Box> {
  const box = await editor.node(title, nth).boundingBox();
  if (box === null) throw new Error(`${title} is not on the screen`);
  return box;
}

async function openMenu(title: string): Promise<void> {
  const { x, y, width } = await boxOf(title);
  await page.mouse.click(x + width / 2, y + 8, { button: "right" });
  await page.getByRole("menu").waitFor();
}

async function drag(from: { x: number; y: number }, to: { x: number; y: number }): Promise<void> {
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move((from.x + to.x) / 2, (from.y + to.y) / 2, { steps: 4 });
  await page.mouse.move(to.x, to.y, { steps: 4 });
}

/** What the element that has the focus is called. */
function focused(): Promise<string> {
  return page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
}

test("a node dragged with Alt leaves the original where it is", async () => {
  await editor.open("copy", textToImage(), 7);
  const before = await boxOf("Empty Latent Image");
  const at = { x: before.x + before.width / 2, y: before.y + 8 };
  await page.keyboard.down("Alt");
  await drag(at, { x: at.x - 200, y: at.y + 50 });
  await page.mouse.up();
  await page.keyboard.up("Alt");
  await editor.expectNodes(8);
  expect(await boxOf("Empty Latent Image")).toEqual(before);
  expect((await boxOf("Empty Latent Image", 1)).x).toBeLessThan(before.x - 150);
  await editor.undo();
  await editor.expectNodes(7);
  expect(complaintsOf(page)).toEqual([]);
});

test("menus inside the node's menu align and colour, and all close", async () => {
  await editor.open("menus", textToImage(), 7);
  await page.keyboard.press("Control+KeyA");
  await openMenu("Positive");
  await page.getByRole("menuitem", { name: "Align" }).click();
  await page.getByRole("menuitem", { name: "Align top edges" }).click();
  await eventually(async () => (await page.getByRole("menu").count()) === 0, "the menus to close", 5000);
  const tops = new Set<number>();
  for (const title of ["Load Checkpoint", "Positive", "Negative", "KSampler"])
    tops.add(Math.round((await boxOf(title)).y));
  expect(tops.size).toBe(1);
  await editor.undo();

  await openMenu("KSampler");
  await page.getByRole("menuitem", { name: "Colour" }).click();
  await page.getByRole("menuitem", { name: "Purple" }).click();
  await eventually(async () => (await page.getByRole("menu").count()) === 0, "the menus to close", 5000);
  const color = await editor
    .node("KSampler")
    .evaluate((each) => (each as HTMLElement).style.getPropertyValue("--node-color"));
  expect(color).toBe("#7a56b0");
  expect(complaintsOf(page)).toEqual([]);
});

test("a wire over a socket that refuses it says why; dropped on the canvas it finds what fits", async () => {
  await editor.open("fits", textToImage(), 7);
  const box = await boxOf("Load Checkpoint");
  const [output, input] = [
    editor.output(editor.node("Load Checkpoint"), "MODEL"),
    editor.input(editor.node("VAE Decode"), "vae"),
  ];
  const [out, into] = [await output.boundingBox(), await input.boundingBox()];
  if (out === null || into === null) throw new Error("the sockets are not on the screen");
  const start = { x: box.x + box.width, y: out.y + out.height / 2 };
  await drag(start, { x: (await boxOf("VAE Decode")).x, y: into.y + into.height / 2 });
  await page.getByText("MODEL does not fit into VAE.").waitFor();
  await page.mouse.up();
  expect(await editor.wires().count()).toBe(9);

  await drag(start, { x: start.x + 60, y: 820 });
  await page.mouse.up();
  const palette = page.getByRole("dialog");
  await palette.waitFor();
  const names = await palette.getByRole("option").allInnerTexts();
  expect(names.some((each) => each.startsWith("KSampler"))).toBe(true);
  expect(names.some((each) => each.startsWith("VAE Decode"))).toBe(false);
  await page.keyboard.type("KSampler");
  await page.keyboard.press("Enter");
  await editor.expectNodes(8);
  expect(await editor.wires().count()).toBe(10);
  expect(complaintsOf(page)).toEqual([]);
});

test("nodes added by keyboard stand beside each other, and the last one has the focus", async () => {
  await editor.newWorkflow();
  await page.mouse.move(700, 10); // off the canvas
  const names = ["Load Checkpoint", "CLIP Text Encode", "CLIP Text Encode", "KSampler", "VAE Decode"];
  for (const [i, name] of names.entries()) {
    await page.keyboard.press("Space");
    await page.getByRole("option").first().waitFor();
    await page.keyboard.type(name);
    await page.keyboard.press("Enter");
    await eventually(async () => (await focused()).startsWith(name), `${name} to have the focus`, 5000);
    await page.keyboard.press("Shift+Period");
    await editor.expectNodes(i + 1);
  }
  await page.waitForTimeout(300);
  const boxes = await page
    .locator("[data-node]")
    .evaluateAll((all) => all.map((each) => each.getBoundingClientRect().toJSON() as Box));
  for (const [i, one] of boxes.entries()) {
    for (const other of boxes.slice(i + 1)) {
      const isApart =
        one.x + one.width <= other.x ||
        other.x + other.width <= one.x ||
        one.y + one.height <= other.y ||
        other.y + other.height <= one.y;
      expect(isApart).toBe(true);
    }
  }
  await page.keyboard.press("Alt+BracketRight");
  await eventually(
    () => page.evaluate(() => document.activeElement?.hasAttribute("data-node") ?? false),
    "a node with the focus",
    5000,
  );
  expect(complaintsOf(page)).toEqual([]);
});

test("what is opened takes nothing over from what was open: nothing is selected", async () => {
  await editor.newWorkflow();
  await editor.add("KSampler", 600, 300);
  await editor.open("fresh", textToImage(), 7);
  await page.waitForTimeout(300);
  expect(await page.locator(".react-flow__node.selected").count()).toBe(0);
  expect(complaintsOf(page)).toEqual([]);
});
