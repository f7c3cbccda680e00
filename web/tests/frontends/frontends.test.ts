/** ComfyUI's own web page, in the oldest and the newest version that are promised to work, on our server and model. */

import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { complaintsOf, launch, openPage } from "../browser/browser";
import { Editor } from "../browser/editor";
import { eventually, Server } from "../browser/server";
import { ComfyUIPage } from "./comfyui_page";
import { frontend } from "./package";

const VERSIONS = ["1.27.10", "1.58.1"];

const TEMPLATE = [
  "CheckpointLoaderSimple",
  "CLIPTextEncode",
  "CLIPTextEncode",
  "EmptyLatentImage",
  "KSampler",
  "VAEDecode",
  "SaveImage",
];

/** Enough to be seen on the way. */
const STEPS = 60;

/** So many that a run cannot end before the test has looked. */
const MANY_STEPS = 2000;

/** What the page complains of though nothing is wrong. Everything else fails the test. */
const HARMLESS = new RegExp(
  [
    // Files that nobody has kept yet: protocol.md, section 6.
    "Failed to load resource: .* 404 .*/api/userdata[/?]",
    "Refused to apply style from '\\S+/api/userdata/user.css'",
    // It asks its makers for news; our policy lets it speak to this server only.
    "(Connecting to|connect to) 'https://\\S+' .*Content Security Policy",
    // 1.27.10 looks at a setting before it has one; whichever answer comes first or late.
    "^TypeError: Cannot read properties of undefined \\(reading 'id'\\)\n.*\n\\s+at onChange",
  ].join("|"),
);

describe.each(VERSIONS.map(frontend))("ComfyUI's page $version $reason", ({ folder }) => {
  let server: Server;
  let browser: Browser;
  let comfyui: ComfyUIPage;

  beforeAll(async () => {
    if (folder === null) return;
    [server, browser] = await Promise.all([Server.start("--front-end-root", folder), launch()]);
    comfyui = new ComfyUIPage(await openPage(browser, server.address));
    await comfyui.ready();
  });

  afterEach(() => {
    if (folder !== null) expect(complaintsOf(comfyui.page, HARMLESS)).toEqual([]);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  const promised = test.skipIf(folder === null);

  promised("it opens, and a template of its list becomes a workflow", async () => {
    await comfyui.template("Text to image");
    await comfyui.expectNodes(...TEMPLATE);
    expect(await comfyui.value("CheckpointLoaderSimple", "ckpt_name")).toBe("latentwire_icons.safetensors");
  });

  promised("it runs: progress and a preview on the sampler, and then the picture", async () => {
    await comfyui.set("KSampler", "steps", STEPS);
    await comfyui.run();
    await eventually(async () => (await comfyui.progress()).length > 0, "progress on a node");
    await eventually(async () => (await comfyui.pictureOn("KSampler")) > 0, "a preview on the sampler");
    expect(await comfyui.results()).toEqual([]); // what was seen was on its way
    await eventually(async () => (await comfyui.results()).length === 1, "a result");
    await eventually(async () => (await comfyui.pictureOn("SaveImage")) === 128, "the picture on its node");
    expect(await comfyui.results()).toEqual(["Latentwire_00001_.png"]);
  });

  promised("its list shows what runs, what waits and what has ended", async () => {
    for (const seed of [21, 22]) {
      await comfyui.set("KSampler", "steps", MANY_STEPS);
      await comfyui.set("KSampler", "seed", seed);
      await comfyui.run();
    }
    await eventually(
      async () => (await jobs("pending")).length === 1 && (await jobs("in_progress")).length === 1,
      "both",
    );
    await comfyui.openQueue();
    const shown = (words: RegExp) =>
      comfyui.page.getByText(words).filter({ visible: true }).first().waitFor({ timeout: 20_000 });
    await shown(/^\s*Running\s*$|1 running/);
    await shown(/^\s*Pending\s*$|1 queued/);
    await shown(/^\s*\d+\.\d+s\s*$/); // how long the one took that has ended
    const picture = comfyui.page.locator("img[src*='Latentwire_00001_.png']").first();
    await eventually(
      () => picture.evaluate((each) => each instanceof HTMLImageElement && each.naturalWidth > 0),
      "its picture in the list",
    );
  });

  promised("it stops what runs and clears what waits", async () => {
    for (const each of await jobs("pending")) await server.json(`/api/jobs/${each}/cancel`, { method: "POST" });
    await eventually(async () => (await jobs("pending")).length === 0, "nothing to wait");
    const cancel = comfyui.page.getByRole("button", { name: /^(Cancel current run|Interrupt|Stop|Cancel)/i }).first();
    await cancel.click();
    await eventually(async () => (await jobs("in_progress")).length === 0, "nothing to run");
    expect(await jobs("cancelled")).toHaveLength(2);
  });

  promised("a dropped picture becomes the workflow that drew it", async () => {
    const bytes = Buffer.from(
      await (await fetch(`${server.address}/view?filename=Latentwire_00001_.png`)).arrayBuffer(),
    );
    await comfyui.set("KSampler", "steps", 3);
    await comfyui.drop("drawn.png", bytes, "image/png");
    await eventually(async () => (await comfyui.value("KSampler", "steps")) === STEPS, "the steps of the picture");
    await comfyui.expectNodes(...TEMPLATE);
  });

  promised("it keeps its settings from one visit to the next", async () => {
    const kept = await server.json<Record<string, unknown>>("/api/settings");
    expect(kept["Comfy.TutorialCompleted"]).toBe(true);
    const again = new ComfyUIPage(await openPage(browser, server.address));
    await again.ready();
    await eventually(async () => (await again.nodes()).length > 0, "a workflow to be open");
    await again.page.context().close();
  });

  promised("our editor is beside it", async () => {
    const editor = new Editor(await openPage(browser, `${server.address}/latentwire`));
    await editor.ready();
    expect(new URL(editor.page.url()).pathname).toBe("/latentwire/");
    expect(complaintsOf(editor.page)).toEqual([]);
    await editor.page.context().close();
  });

  async function jobs(status: string): Promise<readonly string[]> {
    const page = await server.json<{ jobs: readonly { readonly id: string }[] }>(`/api/jobs?status=${status}`);
    return page.jobs.map((each) => each.id);
  }
});
