/** What is wrong is said in words, at the place where it is wrong, and goes away when it is mended. */

import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";

import { expect, test } from "vitest";

import { complaintsOf } from "./browser";
import { Editor } from "./editor";
import { eventually, ROOT } from "./server";
import { editor, page, server, setTheStage } from "./stage";
import { cut, setMode, shippedPicture, showPicture, textToImage } from "./workflows";

/** What the browser itself logs: the server's refusal, and pictures that are not there or none. */
const PROVOKED = /400 \(Bad Request\).*\/prompt|(absent|torn|huge)\.png/;

setTheStage();

/** How many jobs the server has or had. */
async function jobs(): Promise<number> {
  return (await server.json<{ pagination: { total: number } }>("/api/jobs")).pagination.total;
}

test("a value out of range is refused with the reason beside the field, and the old value stays", async () => {
  await editor.open("range", textToImage({ steps: 4 }), 7);
  const sampler = editor.node("KSampler");
  const steps = editor.number(sampler, "steps");
  const reason = page.getByRole("alert").filter({ hasText: "steps is 0; at least 1 is needed." });

  await editor.type(sampler, "steps", "0");
  await reason.waitFor();
  const [field, words] = [await steps.boundingBox(), await reason.boundingBox()];
  if (field === null || words === null) throw new Error("both are on the screen");
  expect(Math.abs(words.y - field.y)).toBeLessThan(80);
  expect(words.x).toBeLessThan(field.x + field.width);
  expect(await steps.getAttribute("aria-valuetext")).toBe("4");
  await page.keyboard.press("Escape");
  expect(await steps.getAttribute("aria-valuetext")).toBe("4");
  expect(await steps.locator("[data-value]").innerText()).toBe("4");

  await editor.type(editor.node("Empty Latent Image"), "width", "99999999", "Tab"); // leaving is no way around it
  await page.getByRole("alert").filter({ hasText: "width is 99999999; at most" }).waitFor();
  const width = editor.number(editor.node("Empty Latent Image"), "width");
  expect(await width.getAttribute("aria-valuetext")).toBe("128");
  expect(complaintsOf(page)).toEqual([]);
});

test("an input without its wire keeps the workflow here, and its problem can be gone to", async () => {
  await editor.open("unwired", textToImage({ change: (file) => cut(file, "KSampler", "latent_image") }), 7);
  const before = await jobs();
  await editor.run();
  const sampler = editor.node("KSampler");
  const words = "latent_image needs a wire.";
  await sampler.getByText(words, { exact: true }).waitFor();
  expect(await sampler.getAttribute("aria-label")).toContain(words);
  // On the very input, and on no other.
  await sampler
    .getByRole("button", { name: `Input latent_image, LATENT. Enter connects it. ${words}`, exact: true })
    .waitFor();
  expect(await sampler.getByRole("button", { name: /needs a wire/ }).count()).toBe(1);
  await page.getByText("1 problem keeps this from running.").waitFor();

  const problems = page.getByRole("region", { name: "Problems" });
  await problems.getByRole("button", { name: "1 problem" }).waitFor();
  await page.mouse.click(700, 860);
  await page.keyboard.press("F8");
  const entry = problems.getByRole("listitem");
  expect(await entry.innerText()).toMatch(/KSampler #3 · latent_image\s+latent_image needs a wire\./);
  await page.locator(".react-flow__node.selected [aria-label^=KSampler]").waitFor();
  await inTheMiddle("KSampler");
  expect(await jobs()).toBe(before);

  await page.keyboard.press("Shift+Period");
  await editor.wire(editor.node("Empty Latent Image"), "LATENT", sampler, "latent_image");
  await editor.run();
  await editor.picture(editor.node("Save Image"));
  expect(await problems.count()).toBe(0);
  expect(complaintsOf(page)).toEqual([]);
});

/** A node that was gone to stands in the middle of the canvas. */
async function inTheMiddle(title: string): Promise<void> {
  const middle = async (): Promise<boolean> => {
    const [box, canvas] = [await editor.node(title).boundingBox(), await page.getByRole("main").boundingBox()];
    if (box === null || canvas === null) return false;
    const [dx, dy] = [box.x + box.width / 2 - canvas.x - canvas.width / 2, box.y + box.height / 2 - canvas.height / 2];
    return Math.abs(dx) < 60 && Math.abs(dy) < 120;
  };
  await eventually(middle, `${title} in the middle`, 10_000);
}

test("a checkpoint that is not there is refused on exactly its field", async () => {
  await editor.open("gone", textToImage({ checkpoint: "gone.safetensors" }), 7);
  const before = await jobs();
  const loader = editor.node("Load Checkpoint");
  await editor.run();
  const words = "ckpt_name: “gone.safetensors” is not among the choices.";
  await loader.locator("[aria-invalid=true]").waitFor();
  await loader.getByText(words, { exact: true }).first().waitFor();
  expect(await page.locator("[aria-invalid=true]").count()).toBe(1);
  expect(await page.getByRole("application").locator("[data-input]:has([aria-invalid=true])").count()).toBe(1);
  expect(await jobs()).toBe(before);
  expect(complaintsOf(page)).toEqual([]);
});

test("a checkpoint that came after the page was opened is found when the workflow is run", async () => {
  await editor.open("late", textToImage({ checkpoint: "late.safetensors", steps: 2 }), 7);
  const folder = join(server.folder, "models/checkpoints");
  mkdirSync(folder, { recursive: true });
  symlinkSync(join(ROOT, "models/checkpoints/latentwire_icons.safetensors"), join(folder, "late.safetensors"));
  await editor.run();
  await editor.picture(editor.node("Save Image"));
  expect(await page.locator("[aria-invalid=true]").count()).toBe(0);
  expect(complaintsOf(page)).toEqual([]);
});

test("what only the server can know is refused by it, and stands on that input", async () => {
  await editor.open("absent", showPicture("absent.png"), 2);
  const before = await jobs();
  await editor.run();
  const loader = editor.node("Load Image");
  const field = loader.locator("[data-input=image] [aria-invalid=true]");
  await field.waitFor();
  expect(await page.locator("[aria-invalid=true]").count()).toBe(1);
  const label = await loader.getAttribute("aria-label");
  expect(label).toMatch(/absent\.png/);
  await page.getByText("The server did not accept the workflow.").first().waitFor();
  expect(await jobs()).toBe(before);
  // The server's answer, 400, is logged by the browser itself.
  expect(complaintsOf(page, PROVOKED)).toEqual([]);
});

test("a node that fails while it runs says why, and is well again when it was mended", async () => {
  const picture = join(server.folder, "input", "torn.png");
  mkdirSync(join(server.folder, "input"), { recursive: true });
  writeFileSync(picture, "not a picture");
  await editor.open("torn", showPicture("torn.png"), 2);
  await editor.run();
  const [loader, preview] = [editor.node("Load Image"), editor.node("Preview Image")];
  await editor.expectState(loader, "failed");
  const problems = page.getByRole("region", { name: "Problems" });
  await problems.getByRole("button", { name: "1 problem" }).waitFor();
  expect(await loader.getAttribute("aria-label")).toMatch(/failed, .*torn\.png/);
  await loader
    .getByText(/torn\.png/)
    .first()
    .waitFor();
  await editor.expectState(preview, "idle");

  writeFileSync(picture, shippedPicture());
  await editor.run();
  await editor.picture(preview);
  await editor.expectState(loader, "done");
  expect(await problems.count()).toBe(0);
  expect(await loader.getAttribute("aria-label")).not.toMatch(/torn\.png/);
  expect(complaintsOf(page, PROVOKED)).toEqual([]);
});

test("a wire that does not fit is refused beside the pointer, and none is made", async () => {
  await editor.open("types", textToImage(), 7);
  const wires = await editor.wires().count();
  expect(wires).toBe(9);
  const [decode, sampler] = [editor.node("VAE Decode"), editor.node("KSampler")];
  const [from, to] = [await decode.boundingBox(), await sampler.boundingBox()];
  const rows = [
    await editor.output(decode, "IMAGE").boundingBox(),
    await editor.input(sampler, "model").boundingBox(),
  ] as const;
  if (from === null || to === null || rows[0] === null || rows[1] === null) throw new Error("not on the screen");
  const [start, end] = [
    { x: from.x + from.width, y: rows[0].y + rows[0].height / 2 },
    { x: to.x, y: rows[1].y + rows[1].height / 2 },
  ];
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  await page.mouse.move((start.x + end.x) / 2, (start.y + end.y) / 2, { steps: 4 });
  await page.mouse.move(end.x, end.y, { steps: 4 });
  const words = page.getByText("IMAGE does not fit into MODEL.", { exact: true });
  await words.waitFor();
  const beside = await words.boundingBox();
  expect(Math.hypot((beside?.x ?? 0) - end.x, (beside?.y ?? 0) - end.y)).toBeLessThan(60);
  await page.mouse.up();
  await words.waitFor({ state: "hidden" });
  expect(await editor.wires().count()).toBe(wires);
  expect(complaintsOf(page, PROVOKED)).toEqual([]);
});

test("a problem goes when it is mended or undone, and so does the message about it", async () => {
  await editor.open("mended", textToImage(), 7);
  const problems = page.getByRole("region", { name: "Problems" });
  const message = page.getByText("1 problem keeps this from running.");
  const latent = editor.node("Empty Latent Image");
  await latent.getByText("Empty Latent Image").first().click();
  await page.keyboard.press("Delete");
  await editor.expectNodes(6);
  await editor.run();
  await problems.getByRole("button", { name: "1 problem" }).waitFor();
  await message.waitFor();
  await page.mouse.click(700, 860);
  await editor.undo();
  await problems.waitFor({ state: "hidden" });
  await message.waitFor({ state: "hidden" });

  await editor.open("muted", textToImage({ change: (file) => setMode(file, "KSampler", 2) }), 7);
  await editor.run();
  const words = "samples comes from “KSampler”, which is muted and gives nothing.";
  const decode = editor.node("VAE Decode");
  await eventually(async () => ((await decode.getAttribute("aria-label")) ?? "").includes(words), words, 10_000);
  await decode.getByText("VAE Decode").first().click();
  await decode.getByText(words, { exact: true }).waitFor();
  expect(complaintsOf(page, PROVOKED)).toEqual([]);
});

test("a picture that is not there is said in words, and what the server said of it goes with another choice", async () => {
  await editor.open("elsewhere", showPicture("absent.png"), 2);
  const loader = editor.node("Load Image");
  await loader.getByText("“absent.png” is not on the server").waitFor();
  await editor.run();
  const problems = page.getByRole("region", { name: "Problems" });
  await problems.waitFor();
  await give(loader, "fox.png", shippedPicture());
  await editor.picture(loader);
  await problems.waitFor({ state: "hidden" });
  expect(await loader.getByText("not found on the server").count()).toBe(0);
  expect(complaintsOf(page, PROVOKED)).toEqual([]);
});

test("a picture too large to be shown says so, and is an input all the same", async () => {
  await editor.newWorkflow();
  await editor.drop("huge.png", emptyPng(20_000, 10_000), "image/png");
  await page.getByRole("button", { name: "Add as Load Image" }).click();
  const loader = editor.node("Load Image");
  await loader.getByText("Too large to be shown here").waitFor();
  await loader.getByText("200,000,000 pixels · It works as an input all the same.").waitFor();
  expect(await loader.locator("img").count()).toBe(0);
  expect(await loader.getByText("not found on the server").count()).toBe(0);
  expect(complaintsOf(page, PROVOKED)).toEqual([]);
});

/** Drops a file on a node's field. */
async function give(node: ReturnType<Editor["node"]>, name: string, bytes: Buffer): Promise<void> {
  await node
    .locator("[data-input=image] button")
    .first()
    .evaluate(
      (field, [file, encoded]) => {
        const dataTransfer = new DataTransfer();
        const content = Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0));
        dataTransfer.items.add(new File([content], file, { type: "image/png" }));
        for (const kind of ["dragover", "drop"]) {
          field.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
        }
      },
      [name, bytes.toString("base64")] as const,
    );
}

/** A black picture of one bit a pixel: however many pixels, a small file. */
function emptyPng(width: number, height: number): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.writeUInt8(1, 8); // bits a pixel, grey
  const rows = deflateSync(Buffer.alloc((Math.ceil(width / 8) + 1) * height));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", head), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
