/** Everyone reaches everything: axe finds nothing serious, keys are written down, 200 % zoom cuts nothing off, Chinese is Chinese. */

import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";

import type { AxeResults } from "axe-core";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { en } from "@/texts/en";
import type { TextKey } from "@/texts/index";

import { complaintsOf, launch, openPage } from "./browser";
import { Editor } from "./editor";
import { eventually, Server } from "./server";

const AXE = readFileSync(resolve(import.meta.dirname, "../../node_modules/axe-core/axe.min.js"), "utf-8");
/** The folder of workflows is made with the first of them. */
const NO_FOLDER_YET = /404.*userdata\?dir=workflows/;

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  const page = await openPage(browser, server.address);
  const editor = new Editor(page);
  await editor.ready();
  await editor.type(editor.node("KSampler"), "steps", "2");
  await editor.run();
  await editor.picture(editor.node("Save Image"));
  await page.context().close();
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

/** The serious and critical issues that axe finds, each with where it is. */
async function issues(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE); // a script element would be refused by the policy
  const results = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: (options: object) => Promise<AxeResults> } };
    return axe.run({ resultTypes: ["violations"] });
  });
  return results.violations
    .filter((each) => each.impact === "serious" || each.impact === "critical")
    .flatMap((each) => each.nodes.map((node) => `${each.id}: ${node.target.join(" ")} ${node.failureSummary ?? ""}`));
}

type Go = (page: Page, editor: Editor) => Promise<void>;

function drawer(key: string, shown: (page: Page) => Promise<void>): Go {
  return async (page) => {
    await page.keyboard.press(key);
    await shown(page);
  };
}

/** The main screens, each with the way to it from the first. */
const SCREENS: Readonly<Record<string, Go>> = {
  "the first screen": async () => undefined,
  "the palette": async (page) => {
    await page.keyboard.press("Space");
    await page.getByRole("option").first().waitFor();
  },
  "the nodes": drawer("n", async (page) => {
    await page.getByRole("complementary").locator("summary").first().click();
    await page.getByRole("complementary").locator("details[open] summary").nth(1).waitFor();
  }),
  "the workflows": drawer("w", (page) => page.getByRole("button", { name: /^Inpaint\s*Draw/ }).waitFor()),
  "the gallery": drawer("g", (page) => page.getByRole("complementary").locator("img").first().waitFor()),
  "the queue and history": drawer("q", async (page) => {
    await page.getByRole("tab", { name: "History" }).click();
    await page.getByRole("complementary").locator("img").first().waitFor();
  }),
  "the outline": drawer("l", (page) => page.getByRole("complementary").getByText("KSampler").waitFor()),
  "the plugins": drawer("p", (page) => page.getByRole("complementary").getByText("No plugins").waitFor()),
  "the settings": async (page) => {
    await page.keyboard.press("Control+Comma");
    await page.getByRole("dialog").waitFor();
  },
  "the shortcuts": async (page) => {
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
  },
  "the command search": async (page) => {
    await page.keyboard.press("Control+KeyK");
    await page.getByRole("option").first().waitFor();
  },
  "the lightbox": async (page) => {
    await page.keyboard.press("g");
    await page.getByRole("complementary").locator("img").first().dblclick();
    await page.getByRole("dialog").locator("img").first().waitFor();
  },
  "the mask editor": async (page, editor) => {
    await page.keyboard.press("w");
    await page.getByRole("button", { name: /^Inpaint\s*Draw/ }).click();
    await editor.node("Picture and mask").getByRole("button", { name: "Paint mask" }).click();
    await page.getByRole("application", { name: "Picture to paint on" }).waitFor();
  },
  "a list of problems": async (page, editor) => {
    await editor.newWorkflow();
    await editor.add("KSampler", 700, 300);
    await editor.add("Save Image", 700, 600);
    await editor.run();
    await page.getByRole("region", { name: "Problems" }).waitFor();
    const pill = page.getByRole("button", { name: /problems?$/ });
    if ((await pill.getAttribute("aria-expanded")) === "false") await pill.click();
    await page.getByRole("region", { name: "Problems" }).getByRole("listitem").first().waitFor();
  },
};

test.each(Object.entries(SCREENS))("%s has no serious issue, dark or light", async (_, go) => {
  const page = await openPage(browser, server.address, { colorScheme: "dark" });
  const editor = new Editor(page);
  await editor.ready();
  await go(page, editor);
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.waitForTimeout(200);
    expect(await issues(page)).toEqual([]);
  }
  expect(complaintsOf(page, NO_FOLDER_YET)).toEqual([]);
  await page.context().close();
});

/** Commands with keys as they stand in the source: id and keys. */
function commandsWithKeys(): ReadonlyMap<string, string> {
  const source = resolve(import.meta.dirname, "../../src");
  const files = readdirSync(source, { recursive: true, encoding: "utf-8" }).filter(
    (each) => /commands[/.]/.test(each) || each.endsWith("look_commands.ts"),
  );
  const text = files
    .filter((each) => each.endsWith(".ts"))
    .map((each) => readFileSync(resolve(source, each), "utf-8"))
    .join("\n");
  const found = new Map<string, string>();
  for (const [, id = "", keys = ""] of text.matchAll(/(?:id: |view\(\s*)"([\w.]+)",[^\]]*?\[\s*([^\]]*?)\s*\]/g)) {
    if (keys !== "") found.set(id, keys);
  }
  for (const [, name = "", key = ""] of text.matchAll(/drawer\("(\w+)", "(\w+)"\)/g)) found.set(`view.${name}`, key);
  return found;
}

test("every command that has keys stands on the sheet that ? opens", async () => {
  const page = await openPage(browser, server.address);
  await new Editor(page).ready();
  await page.keyboard.press("?");
  const sheet = page.getByRole("dialog");
  await sheet.waitFor();
  const names = new Set(await sheet.locator("dt").allInnerTexts());
  const commands = commandsWithKeys();
  expect(commands.size).toBeGreaterThan(50);
  const missing = [...commands.keys()].filter((id) => !names.has(en[`command.${id}` as TextKey] ?? id));
  expect(missing).toEqual([]);
  expect(complaintsOf(page)).toEqual([]);
  await page.context().close();
});

test("Tab comes to every part of the window, and out of it again", async () => {
  const page = await openPage(browser, server.address);
  await new Editor(page).ready();
  await page.keyboard.press("l");
  await page.getByRole("complementary").waitFor();
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  const visited = new Set<string>();
  for (let i = 0; i < 120; i++) {
    await page.keyboard.press("Tab");
    const place = await page.evaluate(() => {
      const landmark = document.activeElement?.closest("header, nav, main, aside");
      return landmark == null ? "" : landmark.tagName + (landmark.getAttribute("aria-label") ?? "");
    });
    visited.add(place);
  }
  expect([...visited].toSorted()).toEqual([
    "",
    "ASIDEOutline",
    "HEADER",
    "MAINCanvas",
    "NAVOpen workflows",
    "NAVPanels",
  ]);
  expect(complaintsOf(page)).toEqual([]);
  await page.context().close();
});

/** Whether all of it is inside the window. */
async function expectInside(page: Page, what: Locator, name: string): Promise<void> {
  const box = await what.boundingBox();
  const { width, height } = page.viewportSize() ?? { width: 0, height: 0 };
  const isInside =
    box !== null &&
    box.x >= -0.5 &&
    box.y >= -0.5 &&
    box.x + box.width <= width + 0.5 &&
    box.y + box.height <= height + 0.5;
  expect(isInside ? name : `${name} at ${JSON.stringify(box)}`).toBe(name);
}

test("at 200 % zoom nothing is cut off", async () => {
  const page = await openPage(browser, server.address, { viewport: { width: 720, height: 450 }, deviceScaleFactor: 2 });
  await new Editor(page).ready();
  await expectInside(page, page.getByRole("button", { name: "Run", exact: true }), "Run");
  await expectInside(page, page.getByRole("button", { name: "Undo" }), "Undo");
  await expectInside(page, page.getByRole("button", { name: "Latentwire menu" }), "the menu");
  const tabs = page.getByRole("navigation", { name: "Open workflows" }).getByRole("button");
  for (const tab of await tabs.all()) await expectInside(page, tab, "a tab");
  for (const button of await page.getByRole("navigation", { name: "Panels" }).getByRole("button").all()) {
    await button.scrollIntoViewIfNeeded();
    await expectInside(page, button, "a button of the rail");
  }
  for (const key of ["n", "w", "g", "q", "l"]) {
    await page.keyboard.press(key);
    const drawer = page.getByRole("complementary");
    await drawer.waitFor();
    await expectInside(page, drawer, `drawer ${key}`);
    for (const control of await drawer.locator("button:visible, input:visible, summary:visible").all()) {
      await control.scrollIntoViewIfNeeded();
      await expectInside(page, control, `a control of drawer ${key}: ${await control.innerText()}`);
    }
    await page.keyboard.press(key);
    await drawer.waitFor({ state: "hidden" });
  }
  for (const keys of ["Control+Comma", "?", "Control+KeyK"]) {
    await page.keyboard.press(keys);
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    await expectInside(page, dialog, `the dialog of ${keys}`);
    for (const control of await dialog.locator("button:visible, input:visible, dt:visible, h3:visible").all()) {
      await control.scrollIntoViewIfNeeded();
      await expectInside(page, control, `a part of the dialog of ${keys}: ${await control.innerText()}`);
    }
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
  }
  await page.keyboard.press("Space");
  await expectInside(page, page.getByRole("dialog"), "the palette");
  expect(complaintsOf(page, NO_FOLDER_YET)).toEqual([]);
  await page.context().close();
});

/** All words of the Latin alphabet that are on the screen, or told to a screen reader. */
function latinWords(page: Page): Promise<readonly string[]> {
  return page.evaluate(() => {
    const texts: string[] = [];
    for (const element of document.body.querySelectorAll("*")) {
      if (/SCRIPT|STYLE/.test(element.tagName)) continue;
      for (const name of ["aria-label", "aria-roledescription", "aria-description", "title", "placeholder", "alt"])
        texts.push(element.getAttribute(name) ?? "");
      for (const child of element.childNodes)
        if (child.nodeType === Node.TEXT_NODE) texts.push(child.textContent ?? "");
    }
    return [...new Set(texts.flatMap((each) => each.match(/[A-Za-z]{3,}/g) ?? []))];
  });
}

/** Names that are the same in every language. */
const NAMES = new Set(
  "Latentwire JSON API Python PNG WebP JPEG Markdown Ctrl Shift Alt Esc Del Home End PgUp PgDn English Apache License KSampler LoadImage CPU SaveImage Space Tab Enter Escape note Note Primitive Reroute Turbo".split(
    " ",
  ),
);

test("the language is told to the browser, and in Chinese no English is left", async () => {
  const page = await openPage(browser, server.address);
  await new Editor(page).ready();
  page.setDefaultTimeout(5000);
  expect(await page.evaluate(() => document.documentElement.lang)).toBe("en");
  await page.keyboard.press("Control+Comma");
  await page.getByRole("button", { name: /Language/ }).click();
  await page.getByRole("option", { name: "中文" }).click();
  await eventually(async () => (await page.evaluate(() => document.documentElement.lang)) === "zh", "Chinese", 5000);

  const fromServer = JSON.stringify([
    await server.json("/api/object_info"),
    await server.json("/api/templates"),
    await server.json("/api/templates/text_to_image"),
    await server.json("/api/history"),
  ]);
  const known = new Set(fromServer.match(/[A-Za-z]{3,}/g));
  const left = new Map<string, readonly string[]>();
  const look = async (where: string): Promise<void> => {
    await page.waitForTimeout(400);
    const words = (await latinWords(page)).filter((each) => !known.has(each) && !NAMES.has(each));
    if (words.length > 0) left.set(where, words);
  };
  await look("the settings");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await look("the first screen");
  for (const key of ["n", "w", "g", "q", "l"]) {
    await page.keyboard.press(key);
    await page.getByRole("complementary").waitFor();
    await look(`drawer ${key}`);
    await page.keyboard.press(key);
  }
  for (const keys of ["?", "Control+KeyK", "Space"]) {
    await page.keyboard.press(keys);
    await page.getByRole("dialog").waitFor();
    await look(`what ${keys} opens`);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
  }
  await page
    .locator("[data-node]")
    .first()
    .click({ button: "right", position: { x: 60, y: 12 } });
  await page.getByRole("menu").waitFor();
  await look("the menu of a node");
  expect(Object.fromEntries(left)).toEqual({});
  expect(complaintsOf(page, NO_FOLDER_YET)).toEqual([]);
  await page.context().close();
});
