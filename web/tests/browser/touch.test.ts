/** On a tablet: everything with one or two fingers. */

import type { Browser, CDPSession, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { complaintsOf, launch, openPage } from "./browser";
import { Editor } from "./editor";
import { eventually, Server } from "./server";
import { textToImage } from "./workflows";

interface Point {
  readonly x: number;
  readonly y: number;
}

let server: Server;
let browser: Browser;
let page: Page;
let editor: Editor;
let fingers: CDPSession;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  page = await openPage(browser, server.address, { viewport: { width: 1024, height: 768 }, hasTouch: true });
  editor = new Editor(page);
  fingers = await page.context().newCDPSession(page);
  await editor.ready();
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

async function touch(type: "touchStart" | "touchMove" | "touchEnd", ...points: readonly Point[]): Promise<void> {
  await fingers.send("Input.dispatchTouchEvent", { type, touchPoints: points.map((each, id) => ({ ...each, id })) });
}

/** Moves fingers from their places to others, in steps. */
async function slide(from: readonly Point[], to: readonly Point[]): Promise<void> {
  await touch("touchStart", ...from);
  for (let i = 1; i <= 8; i++) {
    const at = from.map((each, k) => ({
      x: each.x + (((to[k]?.x ?? each.x) - each.x) * i) / 8,
      y: each.y + (((to[k]?.y ?? each.y) - each.y) * i) / 8,
    }));
    await touch("touchMove", ...at);
    await page.waitForTimeout(16);
  }
  await touch("touchEnd");
}

async function view(): Promise<{ x: number; y: number; zoom: number }> {
  const transform = await page
    .locator(".react-flow__viewport")
    .evaluate((each) => (each as HTMLElement).style.transform);
  const [x = 0, y = 0, zoom = 1] = (transform.match(/-?[\d.]+/g) ?? []).map(Number);
  return { x, y, zoom };
}

async function boxOf(title: string): Promise<{ x: number; y: number; width: number; height: number }> {
  const box = await editor.node(title).boundingBox();
  if (box === null) throw new Error(`${title} is not on the screen`);
  return box;
}

async function header(title: string): Promise<Point> {
  const { x, y, width } = await boxOf(title);
  return { x: x + width / 2, y: y + 8 };
}

/** A place of the canvas with nothing on it. */
const NOWHERE: Point = { x: 560, y: 90 };

test("one finger moves the canvas, two zoom it", async () => {
  await editor.open("touch", textToImage({ steps: 2 }), 7);
  await page.waitForTimeout(300);
  const before = await view();
  await slide([NOWHERE], [{ x: NOWHERE.x + 60, y: NOWHERE.y + 40 }]);
  await eventually(async () => (await view()).x - before.x > 30, "the canvas to move", 5000);
  expect((await view()).zoom).toBe(before.zoom);
  const { x, y } = NOWHERE;
  await slide(
    [
      { x: x - 30, y },
      { x: x + 30, y },
    ],
    [
      { x: x - 90, y },
      { x: x + 90, y },
    ],
  );
  await eventually(async () => (await view()).zoom > before.zoom * 1.8, "the canvas to zoom", 5000);
  await page.keyboard.press("Shift+Period");
  expect(complaintsOf(page)).toEqual([]);
});

test("a tap selects a node, and a long press opens its menu", async () => {
  await page.waitForTimeout(300);
  const at = await header("KSampler");
  await page.touchscreen.tap(at.x, at.y);
  const selected = page.locator(".react-flow__node.selected");
  await eventually(async () => (await selected.count()) === 1, "the node to be selected", 5000);
  const other = await header("VAE Decode");
  await touch("touchStart", other);
  const menu = page.getByRole("menu");
  await menu.waitFor({ timeout: 5000 });
  await touch("touchEnd");
  await page.waitForTimeout(100);
  expect(await menu.count()).toBe(1);
  await menu.getByRole("menuitem", { name: "Duplicate" }).tap();
  await editor.expectNodes(8);
  await page.keyboard.press("Control+KeyZ");
  await editor.expectNodes(7);
  expect(complaintsOf(page)).toEqual([]);
});

test("a finger drags a node, and a wire from one socket to another", async () => {
  const from = await header("Save Image");
  const before = await boxOf("Save Image");
  await slide([from], [{ x: from.x, y: from.y + 60 }]);
  await eventually(async () => (await boxOf("Save Image")).y - before.y > 30, "the node to move", 5000);

  const wires = await editor.wires().count();
  const [decode, save] = [editor.node("VAE Decode"), editor.node("Save Image")];
  const place = async (node: typeof decode, side: "input" | "output", name: string): Promise<Point> => {
    const row = await (side === "input" ? editor.input(node, name) : editor.output(node, name)).boundingBox();
    const box = await node.boundingBox();
    if (row === null || box === null) throw new Error(`${name} is not on the screen`);
    return { x: side === "input" ? box.x : box.x + box.width, y: row.y + row.height / 2 };
  };
  // Off its input, over nothing: the wire is taken away.
  const end = await place(save, "input", "images");
  await slide([end], [{ x: end.x - 20, y: end.y + 120 }]);
  await eventually(async () => (await editor.wires().count()) === wires - 1, "the wire to be gone", 5000);
  await slide([await place(decode, "output", "IMAGE")], [end]);
  await eventually(async () => (await editor.wires().count()) === wires, "the wire to be back", 5000);
  expect(complaintsOf(page)).toEqual([]);
});

test("the menu adds a node, and Run draws the picture", async () => {
  await page.getByRole("button", { name: "Nodes", exact: true }).tap();
  const drawer = page.getByRole("complementary", { name: "Nodes" });
  await drawer.getByRole("searchbox").tap();
  await page.keyboard.type("Preview Image");
  await drawer
    .getByRole("button", { name: /Preview Image/ })
    .first()
    .tap();
  const added = editor.node("Preview Image");
  await added.waitFor(); // wherever it stands, it is brought into view
  await page.getByRole("button", { name: "Nodes", exact: true }).tap();
  await page.keyboard.press("Control+KeyZ");
  await added.waitFor({ state: "detached" });
  await page.keyboard.press("Shift+Period");
  await page.waitForTimeout(300);
  await touch("touchStart", NOWHERE);
  await page.getByRole("menu").waitFor({ timeout: 5000 });
  await touch("touchEnd");
  await page.getByRole("menuitem", { name: /^Add a node/ }).tap();
  await page.keyboard.type("Preview Image");
  await page.getByRole("option").first().tap();
  await added.waitFor();
  await page.keyboard.press("Control+KeyZ");
  await added.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Run", exact: true }).tap();
  await editor.picture(editor.node("Save Image"));
  expect(complaintsOf(page)).toEqual([]);
});
