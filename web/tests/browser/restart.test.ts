/** The server dies in the middle of a run and comes back; the page is loaded anew: nothing is lost or shown twice. */

import { expect, test } from "vitest";

import { complaintsOf } from "./browser";
import { eventually } from "./server";
import { editor, page, server, setTheStage } from "./stage";
import { textToImage } from "./workflows";

/** What the browser itself says of a server that is away. */
const AWAY = /ERR_CONNECTION_(REFUSED|RESET)|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|WebSocket|503/;
/** So many that a run cannot end before the test has done what it must do meanwhile. */
const MANY_STEPS = 250;

setTheStage();

interface Jobs {
  readonly jobs: readonly { id: string; status: string }[];
}

function jobs(): Promise<Jobs> {
  return server.json<Jobs>("/api/jobs");
}

/** How far a node is, in percent; null while it does not run. */
async function percent(title: string): Promise<number | null> {
  const label = (await editor.node(title).getAttribute("aria-label")) ?? "";
  const [, digits] = /running (\d+) %/.exec(label) ?? [];
  return digits === undefined ? null : Number(digits);
}

/** Every state that the sampler is seen in from now on. */
async function watchStates(): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const seen: string[] = [];
    (globalThis as unknown as { seen: string[] }).seen = seen;
    const look = (): void => {
      const label = document.querySelector("[data-node='3']")?.getAttribute("aria-label") ?? "";
      const word = /waiting|running|done|failed/.exec(label)?.[0] ?? "idle";
      if (seen.at(-1) !== word) seen.push(word);
    };
    look();
    new MutationObserver(look).observe(document.body, { subtree: true, attributeFilter: ["aria-label"] });
  });
  return () => page.evaluate(() => (globalThis as unknown as { seen: string[] }).seen);
}

test("what runs and what waits goes on after the server was killed, and each picture appears once", async () => {
  await editor.open("killed", textToImage({ steps: MANY_STEPS, seed: 11 }), 7);
  await editor.run();
  await eventually(async () => ((await percent("KSampler")) ?? 0) >= 5, "the run to be on its way", 60_000);
  await editor.open("behind", textToImage({ steps: 2, seed: 10 }), 7);
  await editor.run();
  await page.getByRole("button", { name: "1 waiting" }).waitFor();
  await page.getByRole("button", { name: "killed", exact: true }).click();
  await eventually(async () => (await percent("KSampler")) !== null, "the first to be shown again", 10_000);
  const states = await watchStates();
  const before = (await jobs()).jobs;
  expect(before.map((each) => each.status).toSorted()).toEqual(["in_progress", "pending"]);

  await server.kill("SIGKILL");
  const banner = page.getByText("The server is away. Your work is kept here; trying again…");
  await banner.waitFor();
  await editor.node("Positive").getByRole("textbox", { name: "text" }).fill("typed while it was away");
  await page.keyboard.press("Escape");
  await page.getByRole("img", { name: "Kept in this browser until the server is back" }).waitFor();

  await server.start();
  await banner.waitFor({ state: "hidden", timeout: 30_000 });
  const text = editor.node("Positive").getByRole("textbox", { name: "text" });
  expect(await text.inputValue()).toBe("typed while it was away");
  await eventually(async () => (await drafts()).some((each) => each.includes("typed while it was away")), "the edit");

  const picture = await editor.picture(editor.node("Save Image"));
  await editor.expectState(editor.node("KSampler"), "done");
  expect(await picture.getAttribute("src")).toMatch(/\/view\?/);
  expect(await editor.node("Save Image").locator("img").count()).toBe(1);
  // From the beginning once more: never done in between, never failed, and not running and running.
  expect((await states()).join(" ")).toMatch(/^running( waiting)?( running)? done$/);

  await page.getByRole("button", { name: "behind", exact: true }).click();
  await editor.picture(editor.node("Save Image"));
  await editor.expectState(editor.node("KSampler"), "done");

  const after = (await jobs()).jobs;
  expect(after.map((each) => each.status)).toEqual(["completed", "completed"]);
  expect(after.map((each) => each.id).toSorted()).toEqual(before.map((each) => each.id).toSorted());
  const queue = await server.json<Record<string, unknown[]>>("/api/queue");
  expect([queue["queue_running"], queue["queue_pending"]]).toEqual([[], []]);
  expect((await server.json<{ pictures: unknown[] }>("/api/pictures")).pictures).toHaveLength(2);

  await page.getByRole("button", { name: "Gallery" }).click();
  await page
    .getByRole("group", { name: /^Drawn pictures/ })
    .locator("[data-index]")
    .first()
    .waitFor();
  expect(await page.locator("[data-index]").count()).toBe(2);
  await page.getByRole("button", { name: "Queue and history" }).click();
  await page.getByText("Nothing is running").waitFor();
  await page.getByRole("tab", { name: "History" }).click();
  await page.getByRole("list", { name: "History" }).getByRole("listitem").first().waitFor();
  expect(await page.getByRole("list", { name: "History" }).getByRole("listitem").count()).toBe(2);
  await page.getByRole("button", { name: "Queue and history" }).click();
  expect(complaintsOf(page, AWAY)).toEqual([]);
});

/** The texts of all workflows without a name that the server keeps. */
async function drafts(): Promise<string[]> {
  const files = await server.json<{ path: string }[]>(
    "/api/userdata?dir=latentwire/drafts&recurse=true&full_info=true",
  );
  return Promise.all(
    files.map(async ({ path }) => {
      const file = encodeURIComponent(`latentwire/drafts/${path}`);
      return (await fetch(`${server.address}/api/userdata/${file}`)).text();
    }),
  );
}

test("a page that is loaded anew during a run shows its tabs, what runs and how far it is", async () => {
  await editor.open("other", textToImage({ steps: 2, seed: 5 }), 7);
  await editor.open("reloaded", textToImage({ steps: MANY_STEPS, seed: 12 }), 7);
  await editor.run();
  await eventually(async () => ((await percent("KSampler")) ?? 0) >= 5, "the run to be on its way", 60_000);
  const names = await tabs();
  expect(names.slice(-2)).toEqual(["other", "reloaded"]);

  await page.reload();
  await editor.expectNodes(7);
  await eventually(async () => (await tabs()).length === names.length, "all tabs to be open again", 20_000);
  expect(await tabs()).toEqual(names);
  expect(await editor.tab().innerText()).toBe("reloaded");
  await eventually(async () => ((await percent("KSampler")) ?? 0) >= 5, "its progress to be shown again", 20_000);
  expect(await editor.node("Load Checkpoint").getAttribute("data-state")).toMatch(/done|cached/);
  expect(await editor.node("VAE Decode").getAttribute("data-state")).toBe("waiting");
  await editor.picture(editor.node("Save Image"));
  await editor.expectState(editor.node("KSampler"), "done");
  expect(await editor.node("Save Image").locator("img").count()).toBe(1);
  expect(complaintsOf(page, AWAY)).toEqual([]);
});

async function tabs(): Promise<string[]> {
  return page.getByRole("navigation", { name: "Open workflows" }).getByRole("listitem").allInnerTexts();
}
