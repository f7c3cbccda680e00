/** Files come in and go out unharmed: workflows, pictures that carry one, and rubbish. */

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { expect, test } from "vitest";

import { complaintsOf } from "./browser";
import { eventually } from "./server";
import { editor, page, server, setTheStage } from "./stage";

const WORKFLOWS = resolve(import.meta.dirname, "../../../workflows");
const FILES = readdirSync(WORKFLOWS).filter((each) => each.endsWith(".json"));

setTheStage();

function nodesIn(file: string): number {
  const json = JSON.parse(file) as { nodes?: unknown[] };
  return json.nodes?.length ?? Object.keys(json).length;
}

test.each(FILES)("%s opens when it is dropped, with every node", async (name) => {
  const text = readFileSync(join(WORKFLOWS, name), "utf-8");
  await editor.newWorkflow();
  await editor.drop(name, Buffer.from(text), "application/json");
  await page.keyboard.press("Shift+Period");
  await editor.expectNodes(nodesIn(text));
  // The fox comes with the template, and this is only its file.
  expect(complaintsOf(page, /404.*latentwire_fox\.png/)).toEqual([]);
});

test("a picture brings back exactly the workflow that drew it", async () => {
  await editor.newWorkflow();
  const text = readFileSync(join(WORKFLOWS, "text_to_image.editor.json"), "utf-8");
  const seed = "18446744073709551557"; // beyond what a double can tell apart
  await editor.drop(
    "a.json",
    Buffer.from(text.replace(/"widgets_values": \[\s*1,/, `"widgets_values": [${seed},`)),
    "application/json",
  );
  await page.keyboard.press("Shift+Period");
  await editor.expectNodes(nodesIn(text));
  await editor.run();
  const picture = await editor.picture(editor.node("Save Image"));
  expect(await picture.getAttribute("src")).toMatch(/\/view\?/);
  const file = readdirSync(join(server.folder, "output")).find((each) => each.endsWith(".png"));
  if (file === undefined) throw new Error("nothing was drawn");
  const bytes = readFileSync(join(server.folder, "output", file));
  expect(bytes.includes(seed)).toBe(true);

  await editor.newWorkflow();
  await editor.drop(file, bytes, "image/png");
  await page.keyboard.press("Shift+Period");
  await editor.expectNodes(nodesIn(text));
  const field = editor.node("KSampler").getByRole("spinbutton", { name: "seed" });
  expect(await field.getAttribute("aria-valuetext")).toContain(seed);
});

const RUBBISH: readonly (readonly [string, Buffer, string])[] = [
  ["broken.json", Buffer.from('{"nodes": [{'), "application/json"],
  ["foreign.json", Buffer.from('{"name": "package", "dependencies": {}}'), "application/json"],
  ["torn.png", Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0xff, 0xff]), "image/png"],
  ["bytes.json", Buffer.from([0, 255, 254, 1, 2]), "application/json"],
];

test.each(RUBBISH)("%s is refused in words, and what is on the screen stays", async (name, bytes, type) => {
  await editor.newWorkflow();
  await editor.add("KSampler", 500, 300);
  await editor.drop(name, bytes, type);
  const words = page.getByRole("dialog").or(page.getByRole("alert")).or(page.getByRole("status"));
  await eventually(async () => (await words.allInnerTexts()).some((each) => each.includes(name)), "a message", 20_000);
  await page.keyboard.press("Escape");
  await editor.expectNodes(1);
  expect(complaintsOf(page, /404.*latentwire_fox\.png/)).toEqual([]);
});

test("what can be read of a damaged workflow opens beside what is there, and says what was left out", async () => {
  await editor.newWorkflow();
  await editor.add("KSampler", 500, 300);
  const text = '{"nodes": [1, null, {"id": {}, "type": 7}, {"id": 1, "type": "VAEDecode"}], "links": "x"}';
  await editor.drop("damaged.json", Buffer.from(text), "application/json");
  await editor.node("VAE Decode").waitFor();
  await editor.expectNodes(1);
  await page.getByText(/left out: 3/).waitFor();
  await page.keyboard.press("Alt+PageUp");
  await editor.node("KSampler").waitFor();
  await editor.expectNodes(1);
});

test("a workflow pasted as text opens in a tab with a name", async () => {
  await editor.newWorkflow();
  const api = { 1: { class_type: "VAEDecode", inputs: {} } };
  await page.evaluate((text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, JSON.stringify(api));
  await editor.node("VAE Decode").waitFor();
  expect(await editor.tab().innerText()).toBe("Pasted workflow");
});

test("HTML in titles and texts is shown as text and never runs", async () => {
  await editor.newWorkflow();
  const attack = `<img src=x onerror="window.broken=1"><script>window.broken=1</script>`;
  const workflow = {
    nodes: [
      { id: 1, type: "KSampler", pos: [0, 0], size: [300, 300], title: attack, widgets_values: [] },
      { id: 2, type: "MarkdownNote", pos: [400, 0], size: [300, 300], widgets_values: [`# Hello\n${attack}`] },
      { id: 3, type: attack, pos: [0, 400], size: [300, 100], widgets_values: [attack] },
    ],
    links: [],
    groups: [{ title: attack, bounding: [-20, -60, 800, 700] }],
    version: 0.4,
  };
  await editor.drop("attack.json", Buffer.from(JSON.stringify(workflow)), "application/json");
  await page.keyboard.press("Shift+Period");
  await editor.expectNodes(3 + 1);
  await page.waitForTimeout(500);
  expect(await page.evaluate(() => "broken" in window)).toBe(false);
  expect(await page.locator("img[src='x']").count()).toBe(0);
  expect(await editor.node(attack).count()).toBe(1);
});

test("a workflow of 20 MB opens within seconds", async () => {
  await editor.newWorkflow();
  const nodes = Array.from({ length: 2000 }, (_, i) => ({
    id: i + 1,
    type: "CLIPTextEncode",
    pos: [(i % 50) * 450, Math.floor(i / 50) * 250],
    size: [400, 200],
    inputs: [{ name: "clip", type: "CLIP", link: null }],
    outputs: [{ name: "CONDITIONING", type: "CONDITIONING", links: [] }],
    widgets_values: ["word ".repeat(2000)],
  }));
  const bytes = Buffer.from(JSON.stringify({ nodes, links: [], version: 0.4 }));
  expect(bytes.length).toBeGreaterThan(20e6);
  await editor.drop("large.json", bytes, "application/json");
  await page.getByRole("button", { name: /large/ }).first().waitFor({ timeout: 30_000 });
  // From far away so many nodes are one picture; near by they are nodes again.
  await page.locator("canvas[data-layer=far]").waitFor({ timeout: 30_000 });
  for (let i = 0; i < 20 && (await editor.nodes().count()) === 0; i++) await page.keyboard.press("Alt+Equal");
  await eventually(async () => (await editor.nodes().count()) > 0, "its nodes", 30_000);
});
