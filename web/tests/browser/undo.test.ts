/** Everything that is done can be undone, and done again. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { expect, test } from "vitest";

import { complaintsOf } from "./browser";
import { eventually } from "./server";
import { editor, page, setTheStage } from "./stage";

const TEXT_TO_IMAGE = readFileSync(resolve(import.meta.dirname, "../../../workflows/text_to_image.editor.json"));

setTheStage();

/** What a person sees of the graph: each node with its place and what is in its fields. */
async function seen(): Promise<string[]> {
  await page.keyboard.press("Shift+Period");
  await page.waitForTimeout(300);
  const nodes = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>(".react-flow__node")].map((each) => {
      const fields = [...each.querySelectorAll<HTMLElement>("textarea, input, [role=spinbutton], [role=switch]")];
      const values = fields.map((field) =>
        field instanceof HTMLTextAreaElement || field instanceof HTMLInputElement
          ? field.value
          : (field.getAttribute("aria-valuetext") ?? field.getAttribute("aria-checked")),
      );
      const label = each.querySelector("[data-node]")?.getAttribute("aria-label") ?? "";
      return `${label} ${each.style.transform} ${values.join("|")}`;
    }),
  );
  return [...nodes.toSorted(), `${await editor.wires().count()} wires`];
}

/** A point on the title bar of a node. */
async function header(title: string): Promise<{ x: number; y: number }> {
  const box = await editor.node(title).boundingBox();
  if (box === null) throw new Error(`${title} is not on the screen`);
  return { x: box.x + box.width / 2, y: box.y + 10 };
}

test("moving, typing, deleting, wiring and grouping are undone one by one and done again", async () => {
  await editor.newWorkflow();
  await editor.drop("start.json", TEXT_TO_IMAGE, "application/json");
  await page.keyboard.press("Shift+Period");
  await editor.expectNodes(7);
  const states = [await seen()];
  const step = async (act: () => Promise<void>): Promise<void> => {
    await act();
    await eventually(async () => JSON.stringify(await seen()) !== JSON.stringify(states.at(-1)), "a change", 10_000);
    states.push(await seen());
  };
  await step(async () => {
    const at = await header("Empty Latent Image");
    await page.mouse.move(at.x, at.y);
    await page.mouse.down();
    await page.mouse.move(at.x - 60, at.y + 40, { steps: 6 });
    await page.mouse.up();
  });
  await step(async () => {
    await editor.node("Positive").getByRole("textbox", { name: "text" }).fill("a yellow star");
    await page.keyboard.press("Escape");
  });
  await step(async () => {
    const at = await header("VAE Decode");
    await page.mouse.click(at.x, at.y);
    await page.keyboard.press("Delete");
  });
  await step(async () => {
    const at = await header("KSampler");
    await page.mouse.click(at.x, at.y);
    await page.keyboard.press("Control+KeyD");
  });
  await step(async () => {
    await page.keyboard.press("Control+KeyG");
    await page.keyboard.press("Escape"); // its name is asked for
  });

  for (let i = states.length - 2; i >= 0; i--) {
    await editor.undo();
    await eventually(
      async () => JSON.stringify(await seen()) === JSON.stringify(states[i]),
      `state ${i}`,
      10_000,
    ).catch(async () => expect(await seen()).toEqual(states[i]));
  }
  for (let i = 1; i < states.length; i++) {
    await editor.redo();
    await eventually(
      async () => JSON.stringify(await seen()) === JSON.stringify(states[i]),
      `state ${i}`,
      10_000,
    ).catch(async () => expect(await seen()).toEqual(states[i]));
  }
  expect(complaintsOf(page)).toEqual([]);
});
