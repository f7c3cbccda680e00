/** What most files of browser tests stand on: one server, one browser, one page with the editor, for all their tests. */

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll } from "vitest";

import { launch, openPage } from "./browser";
import { Editor } from "./editor";
import { Server } from "./server";

// Each file of tests has modules of its own, so these are its own too; they are there once its tests begin.
export let server: Server;
export let browser: Browser;
export let page: Page;
export let editor: Editor;

/** Begins everything before the first test of a file, and ends it after the last. */
export function setTheStage(): void {
  beforeAll(async () => {
    [server, browser] = await Promise.all([Server.start(), launch()]);
    page = await openPage(browser, server.address);
    editor = new Editor(page);
    await editor.ready();
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });
}
