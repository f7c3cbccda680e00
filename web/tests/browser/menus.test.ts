/** Menus where a hand or a key asks for them: of long texts, and on a tablet of the empty canvas. */

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { complaintsOf, launch, openPage } from "./browser";
import { Editor } from "./editor";
import { Server } from "./server";
import { textToImage } from "./workflows";

let server: Server;
let browser: Browser;
let page: Page;
let editor: Editor;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  page = await openPage(browser, server.address, { viewport: { width: 1024, height: 768 }, hasTouch: true });
  editor = new Editor(page);
  await editor.ready();
  await editor.open("menus", textToImage({ steps: 2 }), 7);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

test("a long press on the empty canvas opens its menu", async () => {
  await page.waitForTimeout(300);
  const fingers = await page.context().newCDPSession(page);
  const pane = page.locator(".react-flow__pane");
  for (const at of [
    { x: 560, y: 90 },
    { x: 300, y: 700 },
  ]) {
    const isEmpty = await pane.evaluate((each, { x, y }) => document.elementFromPoint(x, y) === each, at);
    expect(isEmpty, `${at.x} ${at.y} is empty`).toBe(true);
    await fingers.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ ...at, id: 0 }] });
    const menu = page.getByRole("menu");
    await menu.waitFor({ timeout: 5000 });
    await fingers.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    await page.waitForTimeout(150);
    expect(await menu.getByRole("menuitem", { name: "Add a node…" }).count()).toBe(1);
    await page.keyboard.press("Escape");
    await menu.waitFor({ state: "hidden" });
  }
  expect(complaintsOf(page)).toEqual([]);
});

test("a long text is made an input from its node's menu", async () => {
  const node = editor.node("Positive");
  const choose = async (name: string): Promise<void> => {
    await node.getByRole("button", { name: "Menu of Positive" }).click();
    await page.getByRole("menuitem", { name: "text", exact: true }).click();
    await page.getByRole("menuitem", { name }).click();
    await page.getByRole("menu").first().waitFor({ state: "hidden" });
  };
  await choose("Make it an input");
  // Each is offered only after the other was done.
  await choose("Make it a widget again");
  await choose("Make it an input");
  expect(complaintsOf(page)).toEqual([]);
});

test("Shift+F10 in a long text opens the menu of its value", async () => {
  const field = editor.node("Positive").locator("textarea");
  await field.click();
  await page.keyboard.press("Shift+F10");
  await page.getByRole("menuitem", { name: "Copy value" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("menu").waitFor({ state: "hidden" });
  expect(complaintsOf(page)).toEqual([]);
});
