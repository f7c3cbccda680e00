/** What a person does in ComfyUI's web page, and what the page then knows of it; both versions that are tried have these. */

import type { Page } from "playwright-core";

import { eventually } from "../browser/server";

/** The parts of the page's own state that are looked at. */
interface Node {
  readonly id: number | string;
  readonly type: string;
  readonly progress?: number;
  readonly imgs?: readonly HTMLImageElement[];
  readonly widgets?: { readonly name: string; value: unknown }[];
}

interface App {
  readonly graph: { readonly nodes: readonly Node[] } | undefined;
  readonly nodeOutputs: Readonly<Record<string, { readonly images?: readonly { readonly filename: string }[] }>>;
}

declare global {
  // The page's own global.
  var app: App | undefined;
}

export class ComfyUIPage {
  constructor(readonly page: Page) {}

  /** Waits until the page has its canvas. */
  async ready(): Promise<void> {
    await this.page.locator("canvas#graph-canvas").waitFor({ state: "attached", timeout: 60_000 });
    await this.page.waitForFunction(() => globalThis.app?.graph !== undefined, null, { timeout: 60_000 });
  }

  /** Takes a template from the list that the page shows to newcomers. */
  async template(title: string): Promise<void> {
    const card = this.page.getByText(title, { exact: true }).first();
    await card.waitFor({ timeout: 30_000 });
    await card.click();
  }

  async nodes(): Promise<readonly string[]> {
    return this.page.evaluate(() => (globalThis.app?.graph?.nodes ?? []).map((each) => each.type));
  }

  async expectNodes(...types: readonly string[]): Promise<void> {
    await eventually(
      async () => [...(await this.nodes())].toSorted().join() === [...types].toSorted().join(),
      `the nodes ${types.join(", ")}`,
      20_000,
    );
  }

  async value(type: string, name: string): Promise<unknown> {
    return this.page.evaluate(
      ([wanted, widget]) =>
        globalThis.app?.graph?.nodes.find((each) => each.type === wanted)?.widgets?.find((each) => each.name === widget)
          ?.value,
      [type, name] as const,
    );
  }

  /** Puts a value into a widget, as its field would. */
  async set(type: string, name: string, value: number | string): Promise<void> {
    await this.page.evaluate(
      ([wanted, widget, put]) => {
        const node = globalThis.app?.graph?.nodes.find((each) => each.type === wanted);
        const found = node?.widgets?.find((each) => each.name === widget);
        if (found === undefined) throw new Error(`${wanted} has no widget ${widget}`);
        found.value = put;
      },
      [type, name, value] as const,
    );
  }

  async run(): Promise<void> {
    await this.page.getByRole("button", { name: "Run", exact: true }).first().click();
  }

  /** How far the nodes are that run, each from 0 to 1. */
  async progress(): Promise<readonly number[]> {
    return this.page.evaluate(() =>
      (globalThis.app?.graph?.nodes ?? []).map((each) => each.progress ?? 0).filter((each) => each > 0 && each < 1),
    );
  }

  /** The width of the picture that a node shows, decoded by the browser; 0 without one. */
  async pictureOn(type: string): Promise<number> {
    return this.page.evaluate(
      (wanted) =>
        (globalThis.app?.graph?.nodes.find((each) => each.type === wanted)?.imgs ?? []).at(-1)?.naturalWidth ?? 0,
      type,
    );
  }

  /** The files that the page was told of as results. */
  async results(): Promise<readonly string[]> {
    return this.page.evaluate(() =>
      Object.values(globalThis.app?.nodeOutputs ?? {}).flatMap((each) =>
        (each.images ?? []).map((image) => image.filename),
      ),
    );
  }

  /** Opens the list of what runs, waits and has ended. */
  async openQueue(): Promise<void> {
    const sidebar = this.page.locator(".queue-tab-button");
    await ((await sidebar.count()) > 0 ? sidebar : this.page.getByText(/^\d+ active$/)).first().click();
  }

  /** Drops a file on the canvas, as from a folder of the desktop. */
  async drop(name: string, bytes: Buffer, type: string): Promise<void> {
    await this.page.evaluate(
      ([file, encoded, mime]) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0))], file, { type: mime }));
        const canvas = document.querySelector("canvas#graph-canvas") ?? document.body;
        for (const kind of ["dragenter", "dragover", "drop"]) {
          canvas.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
        }
      },
      [name, bytes.toString("base64"), type] as const,
    );
  }
}
