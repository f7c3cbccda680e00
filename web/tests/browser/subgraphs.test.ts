/** Sub-graphs, and what else is done with nodes that are there: mute, bypass, collapse, group, reroute, convert, copy. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { Locator } from "playwright-core";
import { expect, test } from "vitest";

import { en } from "@/texts/en";

import { complaintsOf } from "./browser";
import { eventually, ROOT } from "./server";
import { editor, page, server, setTheStage } from "./stage";
import { addPreview, textToImage } from "./workflows";

const REDRAW = readFileSync(join(ROOT, "workflows/redraw.editor.json"));

interface Sent {
  readonly class_type: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

setTheStage();

/** Runs, and waits for its end. Returns: the nodes that were sent, by their ids. */
async function sentByRun(): Promise<Readonly<Record<string, Sent>>> {
  type History = Record<string, { prompt: [number, string, Record<string, Sent>] }>;
  const before = Object.keys(await server.json<History>("/api/history"));
  await editor.run();
  let ended: History = {};
  await eventually(async () => {
    ended = await server.json<History>("/api/history");
    return Object.keys(ended).length > before.length;
  }, "the run's end");
  return Object.entries(ended).find(([id]) => !before.includes(id))?.[1].prompt[2] ?? {};
}

function ofType(sent: Readonly<Record<string, Sent>>, type: string): readonly [string, Sent][] {
  return Object.entries(sent).filter(([, node]) => node.class_type === type);
}

async function header(title: string): Promise<{ x: number; y: number }> {
  const box = await editor.node(title).boundingBox();
  if (box === null) throw new Error(`${title} is not on the screen`);
  return { x: box.x + box.width / 2, y: box.y + 8 };
}

async function click(title: string, options: { button?: "right"; with?: "Shift" } = {}): Promise<void> {
  const { x, y } = await header(title);
  if (options.with !== undefined) await page.keyboard.down(options.with);
  await page.mouse.click(x, y, { button: options.button ?? "left" });
  if (options.with !== undefined) await page.keyboard.up(options.with);
}

async function choose(item: string): Promise<void> {
  await page.getByRole("menuitem", { name: item, exact: true }).click();
}

function menuOf(widget: Locator): Promise<void> {
  return widget.click({ button: "right" });
}

test("nodes are packed into a sub-graph that runs, shows a widget of its inside, and is unpacked again", async () => {
  await editor.open("pack", textToImage({ steps: 3 }), 7);
  await click("Positive");
  await click("Negative", { with: "Shift" });
  await click("KSampler", { with: "Shift" });
  await page.keyboard.press("Control+Shift+KeyE");
  await editor.expectNodes(5);
  await page.getByRole("textbox", { name: en["canvas.node.title"] }).waitFor(); // its name is asked for
  await page.keyboard.press("Escape");
  const instance = editor.node(en["node.new_subgraph"]);
  await instance.waitFor();
  const packed = await sentByRun();
  await editor.picture(editor.node("Save Image"));
  expect(ofType(packed, "KSampler")[0]?.[0]).toMatch(/^\d+:\d+$/);
  expect(ofType(packed, "CLIPTextEncode")).toHaveLength(2);

  await instance.getByRole("button", { name: /^Go into/ }).click();
  await editor.expectNodes(3 + 2);
  await page.keyboard.press("Shift+Period");
  expect(await editor.node("Inputs").innerText()).toContain("model");
  await editor.node("Outputs").waitFor();
  await menuOf(editor.number(editor.node("KSampler"), "seed"));
  await choose(en["widget.promote"]);
  const way = page.getByRole("navigation", { name: "Where you are" });
  await way.getByRole("button", { name: "pack" }).click();
  await editor.expectNodes(5);

  await editor.type(instance, "seed", "7");
  const promoted = await sentByRun();
  expect(ofType(promoted, "KSampler")[0]?.[1].inputs["seed"]).toBe(7);

  await click(en["node.new_subgraph"], { button: "right" });
  await choose(en["command.subgraph.unpack"]);
  await editor.expectNodes(7);
  expect(await editor.wires().count()).toBe(9);
  expect(await editor.number(editor.node("KSampler"), "seed").getAttribute("aria-valuetext")).toContain("7");
  await editor.undo();
  await editor.expectNodes(5);
  for (let i = 0; i < 3; i++) await editor.undo();
  await editor.expectNodes(7);
  expect(await editor.wires().count()).toBe(9);
  expect(complaintsOf(page)).toEqual([]);
});

test("a muted node is not sent, and through a bypassed one the values go on", async () => {
  await editor.open("mute", textToImage({ steps: 2, change: addPreview }), 8);
  await click("Preview Image");
  await page.keyboard.press("Control+KeyM");
  const muted = await sentByRun();
  expect(ofType(muted, "PreviewImage")).toEqual([]);
  expect(ofType(muted, "SaveImage")).toHaveLength(1);
  await page.keyboard.press("Control+KeyM");
  expect(ofType(await sentByRun(), "PreviewImage")).toHaveLength(1);

  await editor.open("bypass", REDRAW, 9);
  await editor.type(editor.node("KSampler"), "steps", "2");
  await click("Redraw");
  await page.keyboard.press("Control+KeyB");
  const bypassed = await sentByRun();
  expect(ofType(bypassed, "KSampler").map(([id]) => id)).toEqual(["3"]);
  expect(bypassed["8"]?.inputs["samples"]).toEqual(["3", 0]);
  expect(complaintsOf(page)).toEqual([]);
});

test("nodes are collapsed, grouped, rerouted and wired to values, and undone", async () => {
  await editor.open("tidy", textToImage({ steps: 2 }), 7);
  const sampler = editor.node("KSampler");
  const high = (await sampler.boundingBox())?.height ?? 0;
  await sampler.getByRole("button", { name: "Collapse KSampler" }).click();
  await eventually(async () => ((await sampler.boundingBox())?.height ?? high) < high / 3, "it to be small", 5000);
  expect(await editor.wires().count()).toBe(9);
  await sampler.getByRole("button", { name: "Expand KSampler" }).click();
  await eventually(async () => (await sampler.boundingBox())?.height === high, "it to be large again", 5000);

  await click("Positive");
  await click("Negative", { with: "Shift" });
  await page.keyboard.press("Control+KeyG");
  await page.getByRole("textbox", { name: en["canvas.group.title"] }).waitFor();
  await page.keyboard.type("Words");
  await page.keyboard.press("Enter");
  await page.getByRole("group", { name: "Group Words" }).waitFor();

  // In the middle of the wire from the sampler to the decoder.
  const wire = page.locator('.react-flow__edge [data-link="7"] path').first();
  const middle = await wire.evaluate((path) => {
    const line = path as SVGPathElement;
    const point = line.getPointAtLength(line.getTotalLength() / 2).matrixTransform(line.getScreenCTM() ?? undefined);
    return { x: point.x, y: point.y };
  });
  await page.mouse.dblclick(middle.x, middle.y);
  await editor.expectNodes(7 + 1 + 1);
  expect(await editor.wires().count()).toBe(10);

  await menuOf(editor.number(sampler, "cfg"));
  await choose(en["widget.to_input"]);
  // Its socket stays, and takes a wire; nothing is wired to it, so its value still counts.
  const sockets = sampler.locator('.react-flow__handle.target[data-handleid^="in:"]');
  await eventually(async () => (await sockets.count()) === 5, "a socket more", 5000);
  const sent = await sentByRun();
  expect(ofType(sent, "VAEDecode")[0]?.[1].inputs["samples"]).toEqual(["3", 0]);
  expect(ofType(sent, "KSampler")[0]?.[1].inputs["cfg"]).toBe(4);
  await menuOf(editor.number(sampler, "cfg"));
  await choose(en["widget.to_widget"]);
  await eventually(async () => (await sockets.count()) === 4, "a socket less", 5000);
  for (let i = 0; i < 5; i++) await editor.undo();
  await editor.expectNodes(7);
  expect(await editor.wires().count()).toBe(9);
  expect(complaintsOf(page)).toEqual([]);
});

test("nodes are copied from one workflow into another with the wires between them", async () => {
  await editor.open("source", textToImage(), 7);
  await click("KSampler");
  await click("VAE Decode", { with: "Shift" });
  await page.keyboard.press("Control+KeyC");
  await editor.newWorkflow();
  await page.keyboard.press("Control+KeyV");
  await editor.expectNodes(2);
  expect(await editor.wires().count()).toBe(1);
  await page.keyboard.press("Control+KeyD");
  await editor.expectNodes(4);
  expect(await editor.wires().count()).toBe(2);
  expect(complaintsOf(page)).toEqual([]);
});
