/**
 * Drives the editor in a real browser and measures it. Called by benchmarks/editor.py:
 *
 *     node benchmarks/editor.mjs ADDRESS TEMPLATE [NODES] [VARIANTS]
 *
 * ADDRESS: of a running server. TEMPLATE: an editor file, repeated until there are NODES nodes. Prints JSON.
 *
 * What a frame costs is the browser's own account: script, style and layout (Performance.getMetrics of the DevTools
 * protocol) before a pointer moves and after the next frame; drawing on the screen is not in it. Each frame is one
 * movement, so what a movement sets going is in its frame.
 */

import { readFile } from "node:fs/promises";

import { chromium } from "playwright-core";

const [address, template, count = "2000", variants = "200"] = process.argv.slice(2);
const SIZE = { width: 1440, height: 900 };
const FRAMES = 120;
const QUIET =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync";

/** Copies of a workflow, side by side, with `wanted` nodes in all. */
function repeated(workflow, wanted) {
  const nodes = [];
  const links = [];
  const copies = Math.ceil(wanted / workflow.nodes.length);
  const columns = Math.ceil(Math.sqrt(copies / 2));
  for (let copy = 0; copy < copies; copy += 1) {
    const [dx, dy] = [(copy % columns) * 1640, Math.floor(copy / columns) * 660];
    const given = 100 * copy;
    for (const node of workflow.nodes.slice(0, wanted - nodes.length)) {
      nodes.push({
        ...node,
        id: node.id + given,
        pos: [node.pos[0] + dx, node.pos[1] + dy],
        inputs: node.inputs?.map((slot) => ({ ...slot, link: slot.link === null ? null : slot.link + given })),
        outputs: node.outputs?.map((slot) => ({ ...slot, links: slot.links?.map((link) => link + given) ?? null })),
      });
    }
    for (const [id, from, output, to, input, type] of workflow.links) {
      links.push([id + given, from + given, output, to + given, input, type]);
    }
  }
  const there = new Set(nodes.map((node) => node.id));
  const whole = links.filter((link) => there.has(link[1]) && there.has(link[3]));
  return { ...workflow, id: undefined, nodes, links: whole, last_node_id: 1e6, last_link_id: 1e6 };
}

/** Lets every seed be another at each run. */
function varied(workflow) {
  const nodes = workflow.nodes.map((node) =>
    node.type === "KSampler" ? { ...node, widgets_values: node.widgets_values.with(1, "randomize") } : node,
  );
  return { ...workflow, id: undefined, nodes };
}

/** Drops a file on the window. Returns: milliseconds until `shown` is there and two more frames have passed. */
function drop(page, workflow, name, shown) {
  return page.evaluate(
    async ([text, name, shown]) => {
      const file = new File([text], name, { type: "application/json" });
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(file);
      // oxlint-disable-next-line unicorn/consistent-function-scoping -- it runs in the page, where nothing else is
      const frame = () => new Promise((done) => requestAnimationFrame(done));
      const target = document.querySelector("main") ?? document.body;
      const begun = performance.now();
      target.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
      while (document.querySelector(shown) === null && performance.now() - begun < 60_000) await frame();
      await frame();
      await frame();
      return performance.now() - begun;
    },
    [JSON.stringify(workflow), name, shown],
  );
}

async function costs(devtools) {
  const { metrics } = await devtools.send("Performance.getMetrics");
  const named = new Map(metrics.map(({ name, value }) => [name, value]));
  const parts = ["ScriptDuration", "RecalcStyleDuration", "LayoutDuration"];
  return 1000 * parts.reduce((sum, name) => sum + (named.get(name) ?? 0), 0);
}

/** What each of `FRAMES` movements costs. */
async function measured(page, devtools, move) {
  const frames = [];
  for (let i = 0; i < FRAMES; i += 1) {
    const before = await costs(devtools);
    await move(i);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0))));
    frames.push((await costs(devtools)) - before);
  }
  const sorted = frames.toSorted((one, other) => one - other);
  const at = (part) => Number((sorted[Math.min(FRAMES - 1, Math.floor(part * FRAMES))] ?? 0).toFixed(2));
  return { p50: at(0.5), p95: at(0.95), max: at(1) };
}

/** There and back, so that the graph stays in view. */
function swing(i, reach) {
  const place = i % (2 * reach);
  return place < reach ? place : 2 * reach - place;
}

async function pan(page, devtools, from, step) {
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  const result = await measured(page, devtools, (i) =>
    page.mouse.move(from.x + step * swing(i, 30), from.y + (step / 2) * swing(i, 30)),
  );
  await page.mouse.up();
  return result;
}

function zoom(page, devtools, amount) {
  return measured(page, devtools, (i) => page.mouse.wheel(0, i % 24 < 12 ? -amount : amount));
}

/** A place in the window where nothing is but the canvas. */
function emptyPlace(page) {
  return page.evaluate(() => {
    const { left, top, width, height } = document.querySelector(".react-flow__pane").getBoundingClientRect();
    for (let y = top + 20; y < top + height / 2; y += 12) {
      for (let x = left + 20; x < left + width / 2; x += 12) {
        if (document.elementFromPoint(x, y)?.classList.contains("react-flow__pane")) return { x, y };
      }
    }
    return { x: left + 10, y: top + 10 };
  });
}

function zoomOf(page) {
  return page.evaluate(
    () => new DOMMatrix(getComputedStyle(document.querySelector(".react-flow__viewport")).transform).a,
  );
}

/** Until everything in view is drawn whole: the number of elements stays the same for half a second. */
async function settled(page) {
  let last = -1;
  for (let same = 0; same < 5;) {
    await page.waitForTimeout(100);
    const now = await page.evaluate(() => document.querySelectorAll("*").length);
    same = now === last ? same + 1 : 0;
    last = now;
  }
}

async function queueing(page, workflow, times) {
  await drop(page, workflow, "variants.json", "[data-node]");
  await settled(page);
  await page.evaluate(() => {
    performance.setResourceTimingBufferSize(5000);
    performance.clearResourceTimings();
  });
  const begun = await page.evaluate(() => performance.now());
  await page.keyboard.press("Control+Enter");
  const seen = () =>
    page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .filter((each) => /\/prompt(\?|$)/.test(each.name) && each.initiatorType === "fetch" && each.responseEnd > 0)
        .map((each) => each.responseEnd),
    );
  let ends = [];
  for (let waited = 0; ends.length < times && waited < 60; waited += 1) {
    await page.waitForTimeout(500);
    ends = await seen();
  }
  return { accepted: ends.length, ms: Math.round(Math.max(begun, ...ends) - begun) };
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: QUIET.split(" "),
});
try {
  const workflow = JSON.parse(await readFile(template, "utf8"));
  const context = await browser.newContext({ viewport: SIZE });
  await context.addInitScript((runs) => {
    const known = JSON.parse(localStorage.getItem("latentwire.preferences") ?? "null");
    const state = {
      theme: "dark",
      language: "en",
      snapToGrid: false,
      gridSize: 20,
      showMinimap: true,
      wires: "curved",
    };
    if (known === null)
      localStorage.setItem("latentwire.preferences", JSON.stringify({ state: { ...state, runs }, version: 0 }));
  }, Number(variants));
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send("Performance.enable");
  await page.goto(address);
  await page.waitForSelector("[data-node]", { timeout: 60_000 });
  await settled(page);

  const load = await drop(page, repeated(workflow, Number(count)), "large.json", "canvas[data-layer=far]");
  await settled(page);
  const result = { nodes: Number(count), load_ms: Math.round(load) };
  // Everything is in view now.
  const middle = { x: SIZE.width / 2, y: SIZE.height / 2 };
  result.pan_far = await pan(page, devtools, await emptyPlace(page), 6);
  await page.mouse.move(middle.x, middle.y);
  result.zoom_far = await zoom(page, devtools, 10);
  // Into the middle, until nodes are whole.
  for (let i = 0; i < 60 && (await zoomOf(page)) < 0.9; i += 1) await page.mouse.wheel(0, -60);
  await settled(page);
  result.nodes_near = await page.evaluate(() => document.querySelectorAll(".react-flow__node").length);
  result.zoom_at = Number((await zoomOf(page)).toFixed(2));
  result.pan_near = await pan(page, devtools, await emptyPlace(page), 14);
  await settled(page);
  await page.mouse.move(middle.x, middle.y);
  result.zoom_near = await zoom(page, devtools, 16);
  result.queue = await queueing(page, varied(workflow), Number(variants));
  process.stdout.write(JSON.stringify(result));
} finally {
  await browser.close();
}
