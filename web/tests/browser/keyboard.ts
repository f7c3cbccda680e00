/** What a person does without a mouse. Nothing here clicks, hovers or focuses but by keys. */

import type { Page } from "playwright-core";

import { eventually } from "./server";

const LONG_ENOUGH = 60; // Tab presses until what is looked for must have come

export class Keyboard {
  constructor(private readonly page: Page) {}

  async add(name: string): Promise<void> {
    const nodes = this.page.locator(".react-flow__node");
    const before = await nodes.count();
    await this.leaveField();
    await this.page.keyboard.press("Space");
    await this.page.getByRole("dialog").waitFor();
    await this.page.keyboard.type(name);
    await this.page.getByRole("option").first().waitFor();
    await this.page.keyboard.press("Enter");
    await this.page.keyboard.press("Shift+Period"); // everything in view: what is far outside is not in the page
    await eventually(async () => (await nodes.count()) === before + 1, `${name} on the canvas`, 10_000);
  }

  async rename(title: string, name: string): Promise<void> {
    await this.goTo(title);
    await this.page.keyboard.press("F2");
    await this.page.keyboard.press("Control+KeyA");
    await this.page.keyboard.type(name);
    await this.page.keyboard.press("Enter");
    await eventually(async () => (await this.titles()).includes(name), `a node called ${name}`, 10_000);
  }

  /** From an output of one node to an input of another, both chosen from the lists that C opens. */
  async wire(from: string, output: string, input: string, to: string): Promise<void> {
    const wires = this.page.locator(".react-flow__edge");
    const before = await wires.count();
    await this.goTo(from);
    await this.page.keyboard.press("c");
    await this.choose(output, output);
    await this.choose(input, to);
    await eventually(async () => (await wires.count()) === before + 1, `a wire from ${from} to ${to}`, 10_000);
  }

  async set(title: string, field: string, value: string): Promise<void> {
    await this.goTo(title);
    await this.page.keyboard.press("Enter");
    await this.tabTo(field);
    const role = await this.page.evaluate(() => document.activeElement?.getAttribute("role") ?? "");
    if (role === "spinbutton") await this.page.keyboard.press("Enter");
    await this.page.keyboard.press("Control+KeyA");
    await this.page.keyboard.type(value);
    if (role === "spinbutton") await this.page.keyboard.press("Enter");
    await this.leaveField();
  }

  /** Goes to a node: to the first, then on in reading order. */
  async goTo(title: string): Promise<void> {
    await this.leaveField();
    const focused = () => this.page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
    if (!(await this.isOnNode())) await this.page.keyboard.press("Alt+BracketLeft");
    await this.page.keyboard.press("Home");
    for (let i = 0; i < LONG_ENOUGH; i++) {
      const label = await focused();
      if (label === title || label.startsWith(`${title},`)) return;
      await this.page.keyboard.press("Tab");
    }
    throw new Error(`${title} was not found with Tab; the focus is on "${await focused()}"`);
  }

  /** Presses Tab until something is reached that has this name, or begins with it on a line of its own. */
  async tabTo(name: string): Promise<void> {
    const focused = () =>
      this.page.evaluate(() => {
        const at = document.activeElement;
        return at?.getAttribute("aria-label") ?? (at instanceof HTMLElement ? at.innerText.trim() : "");
      });
    for (let i = 0; i < LONG_ENOUGH; i++) {
      if ((await focused()).split("\n")[0] === name) return;
      await this.page.keyboard.press("Tab");
    }
    throw new Error(`Tab does not come to ${name}`);
  }

  /** Chooses from the list that is open: types, and goes down to the socket, or to that of the wanted node. */
  private async choose(typed: string, wanted: string): Promise<void> {
    await this.page.getByRole("option").first().waitFor();
    await this.page.keyboard.type(typed);
    for (let i = 0; i < LONG_ENOUGH; i++) {
      const active = this.page.locator("[role=option][data-focused]");
      const text = (await active.count()) > 0 ? await active.first().innerText() : "";
      const [name] = text.split(/\s*\n\s*/);
      if (name === typed || name === `${wanted} · ${typed}`) return await this.page.keyboard.press("Enter");
      await this.page.keyboard.press("ArrowDown");
    }
    const offered = await this.page.getByRole("option").allInnerTexts();
    throw new Error(`${typed} of ${wanted} is not in the list: ${offered.join("; ")}`);
  }

  private async leaveField(): Promise<void> {
    for (let i = 0; i < 3 && !(await this.isOnNode()); i++) {
      if (await this.page.evaluate(() => document.activeElement === document.body)) return;
      await this.page.keyboard.press("Escape");
    }
  }

  private isOnNode(): Promise<boolean> {
    return this.page.evaluate(() => document.activeElement?.hasAttribute("data-node") ?? false);
  }

  private titles(): Promise<string[]> {
    return this.page.evaluate(() =>
      [...document.querySelectorAll("[data-node]")].map(
        (each) => (each.getAttribute("aria-label") ?? "").split(",")[0] ?? "",
      ),
    );
  }
}
