/** Closing workflows: nothing is lost unasked, and what was not written is there when they are opened again. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { complaintsOf, cutWriting, launch, openPage } from "./browser";
import { Editor } from "./editor";
import { eventually, Server } from "./server";
import { textToImage } from "./workflows";

/** What the browser logs when there is no such file. */
const PROVOKED = /404 \(Not Found\).*userdata/;

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(): Promise<Editor> {
  const editor = new Editor(await openPage(browser, server.address));
  await editor.ready();
  return editor;
}

function positive(editor: Editor) {
  return editor.node("Positive").getByRole("textbox", { name: "text" });
}

async function write(editor: Editor, text: string): Promise<void> {
  await positive(editor).fill(text);
  await editor.page.keyboard.press("Escape");
}

test("a workflow closed while the server is away has its last changes when it is opened again", async () => {
  const editor = await open();
  const { page } = editor;
  const path = `/api/userdata/${encodeURIComponent("workflows/apple.json")}`;
  await server.json(path, { method: "POST", body: textToImage({ text: "first" }).toString() });
  const drawer = page.getByRole("button", { name: "Workflows", exact: true });
  const row = page.getByRole("button", { name: /^apple\s*[A-Z]\w+ \d/ }).first();
  await drawer.click();
  await row.click();
  await eventually(async () => (await editor.tab().innerText()) === "apple", "apple to be open", 15_000);
  await page.keyboard.press("Shift+Period");
  await editor.expectNodes(7);

  const mend = await cutWriting(page);
  await write(editor, "not written");
  await page.keyboard.press("Alt+KeyW");
  const question = page.getByRole("alertdialog", { name: "Close “apple”?" });
  await question.waitFor();
  await question.getByRole("button", { name: "Close and keep" }).click();
  await eventually(async () => (await editor.tab().innerText()) !== "apple", "it to be closed", 10_000);

  await mend();
  await row.click();
  await eventually(async () => (await editor.tab().innerText()) === "apple", "apple to be open again", 15_000);
  await eventually(async () => (await positive(editor).inputValue()) === "not written", "its last words", 10_000);
  const kept = async (): Promise<string> => JSON.stringify(await server.json(path));
  await eventually(async () => (await kept()).includes("not written"), "them on the server", 15_000);
  expect(complaintsOf(page, PROVOKED)).toEqual([]);
  await page.context().close();
});

test("closing the others asks about each that would be lost", async () => {
  const editor = await open();
  const { page } = editor;
  for (const name of ["one", "two", "three"]) {
    await editor.open(name, textToImage({ text: name }), 7);
    await write(editor, `${name}, changed`);
  }
  await editor.tab().click({ button: "right" });
  await page.getByRole("menuitem", { name: "Close the others" }).click();
  for (const name of ["one", "two"]) {
    const question = page.getByRole("alertdialog", { name: `Close “${name}”?` });
    await question.getByRole("button", { name: "Discard" }).click();
    await question.waitFor({ state: "hidden" });
  }
  const bar = page.getByRole("navigation", { name: "Open workflows" });
  expect(await bar.getByRole("listitem").allInnerTexts()).toEqual(["three"]);
  expect(complaintsOf(page, PROVOKED)).toEqual([]);
  await page.context().close();
});

test("a workflow without a name is found in the drawer when its tab is gone", async () => {
  const left = await open();
  await left.open("left behind", textToImage({ text: "left behind" }), 7);
  await write(left, "left behind, changed");
  const unwritten = left.page.getByRole("img", { name: "Changes not written yet" });
  await eventually(async () => (await unwritten.count()) === 0, "all to be written", 15_000);
  await left.page.context().close();

  const editor = await open();
  const { page } = editor;
  await page.getByRole("button", { name: "Workflows", exact: true }).click();
  const rows = page.getByRole("button", { name: /^Untitled\s*[A-Z]\w+ \d/ });
  await rows.first().waitFor();
  const count = await rows.count();
  await rows.first().click();
  await eventually(async () => (await editor.tab().innerText()) === "Untitled", "it to be open", 15_000);
  await eventually(async () => (await positive(editor).inputValue()) === "left behind, changed", "its words", 10_000);
  await eventually(async () => (await rows.count()) === count - 1, "the list without it", 10_000);
  await page.keyboard.press("Alt+KeyW");
  await page.getByRole("alertdialog").getByRole("button", { name: "Discard" }).click();
  await page.getByRole("alertdialog").waitFor({ state: "hidden" });
  expect(complaintsOf(page, PROVOKED)).toEqual([]);
  await page.context().close();
});
