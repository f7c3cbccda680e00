/** What a person does in the editor, in their words; tests read like what they do. */

import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";

import { eventually } from "./server";

export class Editor {
  constructor(readonly page: Page) {}

  /** Waits until the first workflow is open. */
  async ready(): Promise<void> {
    await this.page.getByRole("button", { name: "Run", exact: true }).waitFor();
    await this.nodes().first().waitFor({ state: "attached" });
  }

  /** A node by its title; `nth` where several have it. */
  node(title: string, nth = 0): Locator {
    return this.page
      .getByRole("application")
      .getByRole("group", { name: new RegExp(`^${escaped(title)}(,|$)`) })
      .nth(nth);
  }

  async newWorkflow(): Promise<void> {
    await this.page.keyboard.press("Alt+KeyN");
    await eventually(async () => (await this.nodes().count()) === 0, "an empty canvas", 10_000);
  }

  nodes(): Locator {
    return this.page.getByRole("application").locator(".react-flow__node");
  }

  /** Adds a node from the palette, opened by a double-click on the canvas. */
  async add(name: string, x: number, y: number): Promise<void> {
    const before = await this.nodes().count();
    await this.page.mouse.dblclick(x, y);
    const palette = this.page.getByRole("dialog");
    await palette.waitFor();
    await this.page.keyboard.type(name);
    await palette.getByRole("option").first().waitFor();
    await this.page.keyboard.press("Enter");
    await palette.waitFor({ state: "hidden" });
    await eventually(async () => (await this.nodes().count()) === before + 1, `${name} on the canvas`, 10_000);
  }

  output(node: Locator, name: string): Locator {
    return node.getByRole("button", { name: new RegExp(`^Output ${escaped(name)},`) });
  }

  input(node: Locator, name: string): Locator {
    return node.getByRole("button", { name: new RegExp(`^Input ${escaped(name)},`) });
  }

  /** Drags a wire with the mouse. */
  async wire(from: Locator, output: string, to: Locator, input: string): Promise<void> {
    const before = await this.wires().count();
    const [start, end] = [
      await dot(from, this.output(from, output), "right"),
      await dot(to, this.input(to, input), "left"),
    ];
    await this.page.mouse.move(start.x, start.y);
    await this.page.mouse.down();
    await this.page.mouse.move((start.x + end.x) / 2, (start.y + end.y) / 2, { steps: 4 });
    await this.page.mouse.move(end.x, end.y, { steps: 4 });
    await this.page.mouse.up();
    await eventually(async () => (await this.wires().count()) === before + 1, `a wire to ${input}`, 10_000);
  }

  wires(): Locator {
    return this.page.locator(".react-flow__edge");
  }

  async run(): Promise<void> {
    await this.page.getByRole("button", { name: "Run", exact: true }).click();
  }

  /** Waits for a picture that a node drew, decoded by the browser. */
  async picture(node: Locator): Promise<Locator> {
    const picture = node.locator("img").first();
    await picture.waitFor({ timeout: 90_000 });
    await eventually(
      () =>
        picture.evaluate((each) => (each as HTMLImageElement).complete && (each as HTMLImageElement).naturalWidth > 0),
      "the picture to be loaded",
    );
    return picture;
  }

  async undo(): Promise<void> {
    await this.page.keyboard.press("Control+KeyZ");
  }

  async redo(): Promise<void> {
    await this.page.keyboard.press("Control+Shift+KeyZ");
  }

  /** Opens a workflow in a tab of its own by dropping its file, and waits for its nodes. */
  async open(name: string, workflow: Buffer, nodes: number): Promise<void> {
    await this.drop(`${name}.json`, workflow, "application/json");
    await eventually(async () => (await this.tab().innerText()) === name, `${name} to be open`, 15_000);
    await this.expectNodes(nodes);
    await this.page.keyboard.press("Shift+Period"); // everything in view
  }

  /** The tab of the workflow that is shown. */
  tab(): Locator {
    return this.page.getByRole("navigation", { name: "Open workflows" }).locator("[aria-current=page]");
  }

  number(node: Locator, name: string): Locator {
    return node.getByRole("spinbutton", { name, exact: true });
  }

  /** Types into a number: a click, the digits, and a key. */
  async type(node: Locator, name: string, text: string, key = "Enter"): Promise<void> {
    await this.number(node, name).click();
    await this.page.keyboard.type(text);
    await this.page.keyboard.press(key);
  }

  /** Waits until a node is in one of these states: waiting, running, done, cached, failed, idle. */
  async expectState(node: Locator, ...states: readonly string[]): Promise<void> {
    let state: string | null = null;
    await eventually(
      async () => states.includes((state = await node.getAttribute("data-state")) ?? ""),
      states.join(" or "),
      30_000,
    ).catch(() => expect(state).toBe(states.join(" or ")));
  }

  /** Drops a file on the window, as from a folder of the desktop. */
  async drop(name: string, bytes: Buffer, type: string): Promise<void> {
    await this.page.evaluate(
      ([file, encoded, mime]) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0))], file, { type: mime }));
        const target = document.elementFromPoint(innerWidth / 2, innerHeight / 2) ?? document.body;
        for (const kind of ["dragenter", "dragover", "drop"]) {
          target.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
        }
      },
      [name, bytes.toString("base64"), type] as const,
    );
  }

  async expectNodes(count: number): Promise<void> {
    await eventually(async () => (await this.nodes().count()) === count, `${count} nodes`, 15_000);
    expect(await this.nodes().count()).toBe(count);
  }
}

/** The dot of a socket: on the edge of its node, in the middle of its row. */
async function dot(node: Locator, socket: Locator, side: "left" | "right"): Promise<{ x: number; y: number }> {
  const [box, row] = [await node.boundingBox(), await socket.boundingBox()];
  if (box === null || row === null) throw new Error("the socket is not on the screen");
  return { x: side === "left" ? box.x : box.x + box.width, y: row.y + row.height / 2 };
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
