/** Text-to-image from an empty canvas: by mouse, and by keyboard alone. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { complaintsOf, launch, openPage } from "./browser";
import { Editor } from "./editor";
import { Keyboard } from "./keyboard";
import { Server } from "./server";

let server: Server;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

test("a picture is built from an empty canvas with the mouse", async () => {
  const page = await openPage(browser, server.address);
  const editor = new Editor(page);
  await editor.ready();
  await editor.newWorkflow();
  const places = [
    ["Load Checkpoint", 80, 90],
    ["CLIP Text Encode", 420, 90],
    ["CLIP Text Encode", 420, 330],
    ["Empty Latent Image", 420, 560],
    ["KSampler", 850, 90],
    ["VAE Decode", 1170, 90],
    ["Save Image", 1170, 260],
  ] as const;
  for (const [name, x, y] of places) await editor.add(name, x, y);
  const checkpoint = editor.node("Load Checkpoint");
  const [positive, negative] = [0, 1].map((nth) => editor.node("CLIP Text Encode (Prompt)", nth));
  if (positive === undefined || negative === undefined) throw new Error("two text nodes were added");
  const [latent, sampler] = [editor.node("Empty Latent Image"), editor.node("KSampler")];
  const [decode, save] = [editor.node("VAE Decode"), editor.node("Save Image")];

  await editor.wire(checkpoint, "CLIP", positive, "clip");
  await editor.wire(checkpoint, "CLIP", negative, "clip");
  await editor.wire(checkpoint, "MODEL", sampler, "model");
  await editor.wire(positive, "CONDITIONING", sampler, "positive");
  await editor.wire(negative, "CONDITIONING", sampler, "negative");
  await editor.wire(latent, "LATENT", sampler, "latent_image");
  await editor.wire(sampler, "LATENT", decode, "samples");
  await editor.wire(checkpoint, "VAE", decode, "vae");
  await editor.wire(decode, "IMAGE", save, "images");

  await positive.getByRole("textbox", { name: "text" }).fill("green apple, flat vector");
  await latent.getByRole("spinbutton", { name: "width" }).click();
  await page.keyboard.type("128");
  await page.keyboard.press("Enter");
  await latent.getByRole("spinbutton", { name: "height" }).click();
  await page.keyboard.type("128");
  await page.keyboard.press("Enter");
  await sampler.getByRole("spinbutton", { name: "steps" }).click();
  await page.keyboard.type("4");
  await page.keyboard.press("Enter");

  await editor.run();
  await editor.picture(save);
  const history =
    await server.json<Record<string, { prompt: [number, string, Record<string, { inputs: object }>] }>>("/api/history");
  const sent = Object.values(history)[0]?.prompt[2] ?? {};
  const texts = Object.values(sent).flatMap((each) => ("text" in each.inputs ? [each.inputs.text] : []));
  expect(texts.toSorted()).toEqual(["", "green apple, flat vector"]);
  expect(complaintsOf(page)).toEqual([]);
  await page.context().close();
});

test("the same is built with the keyboard alone", async () => {
  const page = await openPage(browser, server.address);
  const editor = new Editor(page);
  await editor.ready();
  await editor.newWorkflow();
  const hands = new Keyboard(page);
  await hands.add("Load Checkpoint");
  await hands.add("CLIP Text Encode");
  await hands.rename("CLIP Text Encode (Prompt)", "Positive");
  await hands.add("CLIP Text Encode");
  await hands.rename("CLIP Text Encode (Prompt)", "Negative");
  for (const each of ["Empty Latent Image", "KSampler", "VAE Decode", "Save Image"]) await hands.add(each);

  await hands.wire("Load Checkpoint", "CLIP", "clip", "Positive");
  await hands.wire("Load Checkpoint", "CLIP", "clip", "Negative");
  await hands.wire("Load Checkpoint", "MODEL", "model", "KSampler");
  await hands.wire("Positive", "CONDITIONING", "positive", "KSampler");
  await hands.wire("Negative", "CONDITIONING", "negative", "KSampler");
  await hands.wire("Empty Latent Image", "LATENT", "latent_image", "KSampler");
  await hands.wire("KSampler", "LATENT", "samples", "VAE Decode");
  await hands.wire("Load Checkpoint", "VAE", "vae", "VAE Decode");
  await hands.wire("VAE Decode", "IMAGE", "images", "Save Image");

  await hands.set("Positive", "text", "blue heart, flat vector");
  await hands.set("Empty Latent Image", "width", "128");
  await hands.set("Empty Latent Image", "height", "128");
  await hands.set("KSampler", "steps", "4");
  await page.keyboard.press("Control+Enter");
  await editor.picture(editor.node("Save Image"));
  expect(complaintsOf(page)).toEqual([]);
  await page.context().close();
});
