/** Debian's chromium, driven by playwright-core. A page that logs an error or breaks its policy fails its test. */

import { existsSync } from "node:fs";

import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const PLACES = [
  process.env["CHROMIUM"] ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function launch(): Promise<Browser> {
  const executablePath = PLACES.find((each) => each !== "" && existsSync(each));
  if (executablePath === undefined) {
    throw new Error("no Chromium here; install one (Debian: apt-get install chromium), or name it: CHROMIUM=/path");
  }
  return chromium.launch({ executablePath, args: ARGUMENTS });
}

/** What a page said it should not have: errors, warnings of the policy. */
const complaints = new WeakMap<Page, string[]>();

/** A page in a fresh context: no cookies, nothing stored. `allowed` are complaints that the test provokes. */
export async function openPage(browser: Browser, address: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    locale: "en-US",
    reducedMotion: "reduce",
    ...options,
  });
  const page = await context.newPage();
  watch(page);
  await page.goto(address);
  return page;
}

export function watch(page: Page): void {
  const said: string[] = [];
  complaints.set(page, said);
  page.on("pageerror", (error) => said.push(`${error.name}: ${error.message}\n${error.stack ?? ""}`));
  page.on("console", (message) => {
    if (message.type() === "error") said.push(`${message.text()} (${message.location().url})`);
  });
}

export function complaintsOf(page: Page, allowed: RegExp | null = null): string[] {
  return (complaints.get(page) ?? []).filter((each) => allowed === null || !allowed.test(each));
}

/** Runs in the page: while it is told that the way is cut, nothing is sent to where workflows are kept. */
function refuseWrites(): void {
  const send = window.fetch.bind(window);
  window.fetch = (what, init) => {
    const isCut =
      sessionStorage.getItem("cut") !== null && init?.method === "POST" && String(what).includes("/userdata/");
    return isCut ? Promise.reject(new TypeError("the test cut the way")) : send(what, init);
  };
}

/**
 * Cuts the way on which a page writes its workflows, over reloads too, until the returned function is called. Not with
 * `page.route`: what the browser holds back of a page that goes, it lets through when the page is gone.
 */
export async function cutWriting(page: Page): Promise<() => Promise<void>> {
  await page.evaluate(() => sessionStorage.setItem("cut", "yes"));
  await page.evaluate(refuseWrites);
  await page.addInitScript(refuseWrites);
  return () => page.evaluate(() => sessionStorage.removeItem("cut"));
}
