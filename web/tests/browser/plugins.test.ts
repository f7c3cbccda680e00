/** A plugin is written, fails, is mended and changed, while its nodes stand in an open workflow; and all of it by keys. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import type { AxeResults } from "axe-core";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { complaintsOf, launch, openPage } from "./browser";
import { Editor } from "./editor";
import { Keyboard } from "./keyboard";
import { eventually, Server } from "./server";

const AXE = readFileSync(resolve(import.meta.dirname, "../../node_modules/axe-core/axe.min.js"), "utf-8");
/** The folder of workflows is made with the first of them. */
const NO_FOLDER_YET = /404.*userdata\?dir=workflows/;

const WORDS = `
from typing import Annotated
from engine.graph.define import Widget, node
from engine.graph.nodetype import Result

@node("Repeat", category="text", display_name="Repeat")
def repeat(*, text: str = "ha", times: Annotated[int, Widget(min=1, max=9)] = 2) -> str:
    """Says it several times."""
    return text * times

@node("Tell", category="text", display_name="Tell", outputs=(), is_output=True)
def tell(*, text: str) -> Result:
    """Shows a text."""
    return Result(ui={"text": [text]})
`;

/** The same with an input more, and another result. */
const CHANGED = WORDS.replace("= 2) -> str", '= 2, end: str = "!") -> str').replace(
  "return text * times",
  "return text * times + end",
);

const BROKEN = `
import a_package_that_is_not_there
NODE_CLASS_MAPPINGS = {"Blur Words": None}
`;

const REMOTE = `
from aiohttp import web
from server import PromptServer
words = ["one"]
@PromptServer.instance.routes.get("/my_words")
async def my_words(request):
    words.append("two")
    return web.json_response(words)
class Choose:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"word": ("COMBO", {"options": [], "remote": {"route": "/my_words"}})}}
    RETURN_TYPES = ("STRING",)
    FUNCTION = "go"
    CATEGORY = "text"
    def go(self, word):
        return (word,)
NODE_CLASS_MAPPINGS = {"Choose": Choose}
WEB_DIRECTORY = "js"
`;

let server: Server;
let browser: Browser;
let page: Page;
let editor: Editor;

function write(name: string, code: string, folder = server.folder): void {
  const file = join(folder, "custom_nodes", name);
  mkdirSync(resolve(file, ".."), { recursive: true });
  writeFileSync(file, code);
}

function prepare(folder: string): void {
  write("words.py", WORDS, folder);
  write("broken/__init__.py", BROKEN, folder);
  write("remote/__init__.py", REMOTE, folder);
  write("remote/js/main.js", "export {}", folder);
}

function panel(): Locator {
  return page.getByRole("complementary", { name: "Plugins" });
}

function plugin(name: string): Locator {
  return panel().locator(`[data-plugin="${name}"]`);
}

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.startIn(prepare), launch()]);
  page = await openPage(browser, server.address, { colorScheme: "dark" });
  editor = new Editor(page);
  await editor.ready();
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

test("what failed at the start is said at once, and put away when it was seen", async () => {
  const notice = page.getByRole("status").getByText("1 plugin could not be loaded.");
  await notice.waitFor();
  await page.getByRole("button", { name: "Plugins (1 plugin could not be loaded.)" }).waitFor();
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await panel().waitFor();
  await plugin("broken").getByText("failed", { exact: true }).waitFor();
  expect(await plugin("broken").innerText()).toMatch(/ModuleNotFoundError.*a_package_that_is_not_there/);
  expect(await plugin("words").innerText()).toMatch(/loaded[^]*2 nodes/);
  expect(await plugin("remote").innerText()).toContain("has a web part for ComfyUI’s page");
  await plugin("broken").getByRole("button", { name: "Details of broken" }).click();
  await plugin("broken").getByText("Traceback (most recent call last)").waitFor();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await plugin("broken").getByRole("button", { name: "Copy" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("a_package_that_is_not_there");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Hide", exact: true }).click();
  await notice.waitFor({ state: "hidden" });
  expect(complaintsOf(page, NO_FOLDER_YET)).toEqual([]);
});

test.each(["dark", "light"] as const)("the panel has no serious issue when it is %s", async (colorScheme) => {
  await page.keyboard.press("p");
  await plugin("broken")
    .getByRole("button", { name: /etails of broken/ })
    .click();
  await page.emulateMedia({ colorScheme });
  await page.waitForTimeout(300);
  await page.evaluate(AXE); // a script element would be refused by the policy
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: (options: object) => Promise<AxeResults> } };
    return axe.run({ resultTypes: ["violations"] });
  });
  const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(serious.map((each) => `${each.id}: ${each.nodes.map((node) => node.target.join(" ")).join(", ")}`)).toEqual(
    [],
  );
  const pictures = process.env["PLUGIN_PICTURES"];
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `plugins_${colorScheme}.png`) });
  await page.keyboard.press("p");
  await panel().waitFor({ state: "hidden" });
  expect(complaintsOf(page, NO_FOLDER_YET)).toEqual([]);
});

test("an edited plugin is loaded again by keys alone: its nodes take the new input, values and wires stay", async () => {
  await page.context().close();
  page = await openPage(browser, server.address); // one that was never clicked: there Tab walks
  editor = new Editor(page);
  await editor.ready();
  const hand = new Keyboard(page);
  await editor.newWorkflow();
  await hand.add("Repeat");
  await hand.add("Tell");
  await hand.set("Repeat", "times", "3");
  await hand.wire("Repeat", "STRING", "text", "Tell");
  await page.keyboard.press("Control+Enter");
  await shown("hahaha");

  write("words.py", CHANGED);
  await hand.goTo("Tell");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+KeyK");
  await page.keyboard.type("Reload plugins");
  await page.getByRole("option", { name: /Reload plugins/ }).waitFor();
  await page.keyboard.press("Enter");
  await page
    .getByText("Loaded again: broken, words")
    .or(page.getByText(/could not be loaded/))
    .first()
    .waitFor();
  const repeat = editor.node("Repeat");
  await repeat.locator("[data-input=end]").waitFor();
  expect(await editor.number(repeat, "times").getAttribute("aria-valuetext")).toBe("3");
  expect(await editor.wires().count()).toBe(1);
  await page.keyboard.press("Control+Enter");
  await shown("hahaha!");
  expect(complaintsOf(page, NO_FOLDER_YET)).toEqual([]);
});

/** The text that Tell shows. */
async function shown(text: string): Promise<void> {
  await editor.node("Tell").getByText(text, { exact: true }).first().waitFor({ timeout: 60_000 });
}

test("the panel is reached and used with Tab and Enter, and one plugin is loaded again", async () => {
  const hand = new Keyboard(page);
  await page.keyboard.press("Escape");
  await page.keyboard.press("p");
  await panel().waitFor();
  write("broken/__init__.py", WORDS.replaceAll("Repeat", "Blur Words").replaceAll("Tell", "Other"));
  await hand.tabTo("Reload broken");
  await page.keyboard.press("Enter");
  await plugin("broken").getByText("loaded", { exact: true }).waitFor();
  await page.getByText("Loaded again: broken").waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
  expect(await focused()).toBe("Reload broken");
  await page.getByRole("button", { name: "Plugins", exact: true }).waitFor(); // without a count
  await page.keyboard.press("Escape");
  await panel().waitFor({ state: "hidden" });
  expect(complaintsOf(page, NO_FOLDER_YET)).toEqual([]);
});

test("a node type that is not there says which plugin names it", async () => {
  write("broken/__init__.py", BROKEN.replace("Blur Words", "Ghost"));
  await page.keyboard.press("p");
  await plugin("broken").getByRole("button", { name: "Reload broken" }).click();
  await plugin("broken")
    .getByText(/what was loaded before stays/)
    .waitFor();
  await page.keyboard.press("p");
  const ghost = { 1: { class_type: "Ghost", inputs: {} }, 2: { class_type: "Tell", inputs: { text: ["1", 0] } } };
  await editor.open("ghost", Buffer.from(JSON.stringify(ghost)), 2);
  await editor.run();
  const words =
    /The server does not know “Ghost”\. The plugin “broken” names it, but could not be loaded: ModuleNotFound/;
  await page.keyboard.press("F8");
  await page.getByRole("region", { name: "Problems" }).getByText(words).waitFor();
  expect(complaintsOf(page, NO_FOLDER_YET)).toEqual([]);
});

test("choices at a plugin's route are read, and read anew with R", async () => {
  await editor.newWorkflow();
  await editor.add("Choose", 700, 400);
  const field = editor.node("Choose").locator("[data-input=word] button").first();
  const offered = async (): Promise<readonly string[]> => {
    await field.click();
    const list = page.getByRole("dialog").getByRole("option");
    await list.first().waitFor();
    const texts = await list.allInnerTexts();
    await page.keyboard.press("Escape");
    return texts.map((each) => each.trim());
  };
  await eventually(async () => (await offered()).join() === "one,two", "what the route offers", 15_000);
  await page.keyboard.press("Escape");
  await page.keyboard.press("r");
  await eventually(async () => (await offered()).join() === "one,two,two", "what it offers now", 15_000);
  expect(complaintsOf(page, NO_FOLDER_YET)).toEqual([]);
});
