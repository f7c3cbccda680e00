/** Workflows in tabs: kept without asking, open again the next time, and never silently written over one another. */

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { complaintsOf, cutWriting, launch, openPage, watch } from "./browser";
import { Editor } from "./editor";
import { eventually, Server } from "./server";
import { type File, textToImage } from "./workflows";

/** What the browser logs when a version was refused, and when there is nothing yet. */
const PROVOKED = /412 \(Precondition Failed\)|404 \(Not Found\).*userdata/;

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

function userdata(path: string): string {
  return `/api/userdata/${encodeURIComponent(path)}`;
}

/** What stands on the server in the positive text of a workflow; null: there is no such file. */
async function kept(path: string): Promise<string | null> {
  const answer = await fetch(`${server.address}${userdata(path)}`);
  if (answer.status === 404) return null;
  const file = (await answer.json()) as File;
  return String(file.nodes.find((each) => each.id === 6)?.widgets_values[0]);
}

async function expectKept(path: string, text: string | null): Promise<void> {
  let found: string | null = null;
  await eventually(async () => (found = await kept(path)) === text, text ?? "nothing", 20_000).catch(() =>
    expect(found).toBe(text),
  );
}

/** The positive texts of all workflows without a name. */
async function drafts(): Promise<(string | null)[]> {
  const folder = "latentwire/drafts";
  const files = await server.json<string[]>(`/api/userdata?dir=${folder}&recurse=true`);
  return Promise.all(files.map((each) => kept(`${folder}/${each}`)));
}

async function open(page: Page): Promise<Editor> {
  const editor = new Editor(page);
  await editor.ready();
  return editor;
}

/** Opens one of the person's workflows from its drawer, where its name is followed by a date. */
async function openKept(editor: Editor, name: string): Promise<void> {
  await editor.page.getByRole("button", { name: "Workflows", exact: true }).click();
  await editor.page
    .getByRole("button", { name: new RegExp(`^${name}\\s*[A-Z]\\w+ \\d`) })
    .first()
    .click();
  await eventually(async () => (await editor.tab().innerText()) === name, `${name} to be open`, 15_000);
  await editor.expectNodes(7);
  await editor.page.getByRole("button", { name: "Workflows", exact: true }).click();
  await editor.page.keyboard.press("Shift+Period");
}

async function write(editor: Editor, text: string): Promise<void> {
  await positive(editor).fill(text);
  await editor.page.keyboard.press("Escape");
}

function positive(editor: Editor) {
  return editor.node("Positive").getByRole("textbox", { name: "text" });
}

function notice(editor: Editor, name: string) {
  return editor.page.getByText(`“${name}” was changed elsewhere.`);
}

async function choose(editor: Editor, choice: string): Promise<void> {
  await editor.page.getByRole("button", { name: choice, exact: true }).click();
}

/** A mark of how it is kept may stand before the name. */
function tab(editor: Editor, name: string) {
  const bar = editor.page.getByRole("navigation", { name: "Open workflows" });
  return bar
    .getByRole("listitem")
    .filter({ hasText: new RegExp(`^${name}$`) })
    .getByRole("button")
    .first();
}

async function names(editor: Editor): Promise<string[]> {
  const bar = editor.page.getByRole("navigation", { name: "Open workflows" });
  return bar.getByRole("listitem").allInnerTexts();
}

async function shareWorkflow(name: string, text: string): Promise<string> {
  const path = `workflows/${name}.json`;
  await server.json(userdata(path), { method: "POST", body: textToImage({ text }).toString() });
  return path;
}

test("of two browsers with the same workflow neither writes over the other without being asked", async () => {
  const path = await shareWorkflow("shared", "first");
  const [one, other] = await Promise.all([
    openPage(browser, server.address).then(open),
    openPage(browser, server.address).then(open),
  ]);
  await openKept(one, "shared");
  await openKept(other, "shared");

  await write(one, "by one");
  await expectKept(path, "by one");
  await write(other, "by the other");
  await notice(other, "shared").waitFor();
  expect(await kept(path)).toBe("by one");
  expect(await notice(one, "shared").count()).toBe(0);

  await choose(other, "Look at theirs");
  await eventually(async () => (await other.tab().innerText()) === "shared (theirs)", "theirs in a tab", 10_000);
  await other.expectNodes(7);
  expect(await positive(other).inputValue()).toBe("by one");
  expect(await kept(path)).toBe("by one");

  await tab(other, "shared").click();
  expect(await positive(other).inputValue()).toBe("by the other");
  await choose(other, "Keep mine as a copy");
  await eventually(async () => (await other.tab().innerText()) === "shared (mine)", "mine as a copy", 10_000);
  expect(await positive(other).inputValue()).toBe("by the other");
  await eventually(async () => (await drafts()).includes("by the other"), "the copy on the server", 10_000);
  expect(await kept(path)).toBe("by one");
  await notice(other, "shared").waitFor({ state: "hidden" });

  await openKept(other, "shared");
  expect(await positive(other).inputValue()).toBe("by one");
  await write(one, "by one again");
  await expectKept(path, "by one again");
  await write(other, "the other wins");
  await notice(other, "shared").waitFor();
  expect(await kept(path)).toBe("by one again");
  await choose(other, "Overwrite with mine");
  await expectKept(path, "the other wins");
  await notice(other, "shared").waitFor({ state: "hidden" });

  await write(one, "too late");
  await notice(one, "shared").waitFor();
  expect(await kept(path)).toBe("the other wins");
  await choose(one, "Take theirs");
  await notice(one, "shared").waitFor({ state: "hidden" });
  expect(await positive(one).inputValue()).toBe("the other wins");
  await one.undo(); // what was here is not lost
  await eventually(async () => (await positive(one).inputValue()) === "too late", "the undone choice", 10_000);
  await expectKept(path, "too late");
  for (const { page } of [one, other]) {
    expect(complaintsOf(page, PROVOKED)).toEqual([]);
    await page.context().close();
  }
});

test("two windows of one browser follow each other, and ask when both have changes", async () => {
  const path = await shareWorkflow("windows", "first");
  const one = await openPage(browser, server.address).then(open);
  await openKept(one, "windows");
  const page = await one.page.context().newPage();
  watch(page);
  await page.goto(server.address);
  const other = await open(page);
  await eventually(async () => (await names(other)).includes("windows"), "the same tabs", 15_000);
  await tab(other, "windows").click();
  await page.keyboard.press("Shift+Period");
  await other.expectNodes(7);

  await write(one, "seen by both");
  await eventually(async () => (await positive(other).inputValue()) === "seen by both", "the other to follow", 15_000);
  await expectKept(path, "seen by both");

  // The other cannot reach the server for a while, and is changed meanwhile; so is the one.
  const mend = await cutWriting(page);
  await write(other, "written alone");
  await page.getByRole("img", { name: "Kept in this browser until the server is back" }).waitFor();
  await write(one, "written meanwhile");
  await expectKept(path, "written meanwhile");
  expect(await positive(other).inputValue()).toBe("written alone");
  await mend();
  await notice(other, "windows").waitFor({ timeout: 20_000 });
  expect(await kept(path)).toBe("written meanwhile");
  expect(await positive(other).inputValue()).toBe("written alone");
  await choose(other, "Overwrite with mine");
  await expectKept(path, "written alone");
  await eventually(async () => (await positive(one).inputValue()) === "written alone", "the one to follow", 15_000);
  for (const each of [one, other]) expect(complaintsOf(each.page, PROVOKED)).toEqual([]);
  await page.context().close();
});

/** Makes it so large that a page which goes cannot send it any more: then only the browser has what is unwritten. */
function enlarge(file: File): void {
  for (const each of file.nodes) if (each.id === 7) each.widgets_values = ["word ".repeat(20_000)];
}

test("workflows are kept without a word, and are open again with what was not written yet", async () => {
  const editor = await openPage(browser, server.address).then(open);
  const { page } = editor;
  for (const name of ["alpha", "beta", "gamma"]) {
    await editor.open(name, textToImage({ text: `first ${name}`, change: enlarge }), 7);
  }
  await write(editor, "gamma kept by itself");
  await eventually(async () => (await drafts()).includes("gamma kept by itself"), "it on the server", 10_000);
  await page.getByRole("img", { name: "Changes not written yet" }).waitFor({ state: "hidden" });

  const mend = await cutWriting(page);
  await write(editor, "gamma unwritten");
  const away = page.getByRole("img", { name: "Kept in this browser until the server is back" });
  await eventually(async () => (await away.count()) === 1, "one that waits", 10_000);
  await tab(editor, "alpha").click();
  await write(editor, "alpha unwritten");
  await eventually(async () => (await away.count()) === 2, "two that wait", 10_000);
  const before = await names(editor);
  expect(before.slice(-3)).toEqual(["alpha", "beta", "gamma"]);

  await page.reload();
  await eventually(async () => (await names(editor)).length === before.length, "all tabs", 20_000);
  expect(await names(editor)).toEqual(before);
  await eventually(async () => (await editor.tab().innerText()) === "alpha", "the same tab to be shown", 10_000);
  await editor.expectNodes(7);
  expect(await positive(editor).inputValue()).toBe("alpha unwritten");
  await tab(editor, "gamma").click();
  await eventually(async () => (await positive(editor).inputValue()) === "gamma unwritten", "gamma", 10_000);
  expect((await drafts()).filter((each) => each?.includes("unwritten"))).toEqual([]);

  await mend();
  const arrived = async (): Promise<boolean> => {
    const texts = await drafts();
    return texts.includes("alpha unwritten") && texts.includes("gamma unwritten");
  };
  await eventually(arrived, "both on the server", 20_000);
  expect(complaintsOf(page, PROVOKED)).toEqual([]);
  await page.context().close();
});

test("a workflow is named, moved among the others, renamed and closed", async () => {
  const editor = await openPage(browser, server.address).then(open);
  const { page } = editor;
  await editor.open("one", textToImage({ text: "one" }), 7);
  await editor.open("two", textToImage({ text: "two" }), 7);
  const rename = async (name: string): Promise<void> => {
    await page.keyboard.press("Shift+F2");
    const field = page.getByRole("textbox", { name: "Rename" });
    await field.fill(name);
    await field.press("Enter");
    await eventually(async () => (await editor.tab().innerText()) === name, `the name ${name}`, 10_000);
  };
  await rename("portraits/anna");
  await expectKept("workflows/portraits/anna.json", "two");
  await rename("berta");
  await expectKept("workflows/berta.json", "two");
  expect(await kept("workflows/portraits/anna.json")).toBeNull();

  await page.keyboard.press("Alt+Shift+PageUp");
  expect((await names(editor)).slice(-2)).toEqual(["berta", "one"]);
  await page.reload();
  await eventually(async () => (await names(editor)).length >= 3, "the tabs", 20_000);
  expect((await names(editor)).slice(-2)).toEqual(["berta", "one"]);
  await eventually(async () => (await editor.tab().innerText()) === "berta", "berta to be shown", 10_000);

  await editor.expectNodes(7);
  await write(editor, "two, changed");
  await page.keyboard.press("Alt+KeyW"); // it has a name: what is unwritten is written, nobody is asked
  await eventually(async () => !(await names(editor)).includes("berta"), "the tab to go", 10_000);
  await expectKept("workflows/berta.json", "two, changed");

  await tab(editor, "one").click();
  await write(editor, "one, changed");
  await eventually(async () => (await drafts()).includes("one, changed"), "it on the server", 10_000);
  await page.keyboard.press("Alt+KeyW");
  const question = page.getByRole("alertdialog", { name: "Close “one”?" });
  await question.waitFor();
  await page.keyboard.press("Escape");
  await question.waitFor({ state: "hidden" });
  expect(await names(editor)).toContain("one");
  await page.keyboard.press("Alt+KeyW");
  await question.getByRole("button", { name: "Discard" }).click();
  await eventually(async () => !(await names(editor)).includes("one"), "the tab to go", 10_000);
  await eventually(async () => !(await drafts()).includes("one, changed"), "its draft to go", 10_000);
  expect(complaintsOf(page, PROVOKED)).toEqual([]);
  await page.context().close();
});
