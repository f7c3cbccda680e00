/** The users' guide (docs/editor.md) says what is so: its keys are the commands', its pictures are there. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { describe, expect, it } from "vitest";

import { ALL_COMMANDS } from "@/panels/commands/all";
import { SECTIONS } from "@/panels/commands/sections";
import type { Command } from "@/state/commands";
import { useCommands } from "@/state/commands";
import { en } from "@/texts/en";
import { lookUp, t, type TextKey } from "@/texts/index";
import { keycaps } from "@/ui/keycaps";
import { registerViewCommands } from "@/view/commands";

const ROOT = resolve(import.meta.dirname, "../../../..");
const GUIDE = join(ROOT, "docs/editor.md");
const KEYS = /(?<=<!-- keys: .* -->\n)[^]*(?=<!-- end of keys -->)/;

/** What the pointer does: "pointer.pan", and how in "pointer.pan_how". */
const POINTER = (Object.keys(en) as TextKey[]).filter((key) => /^pointer\.\w+_how$/.test(key));

/** The tables of the guide, as the shortcut sheet shows them. */
function tables(): string {
  registerViewCommands();
  const commands = [...ALL_COMMANDS, ...useCommands.getState().commands.values()].filter(
    (each) => each.keys.length > 0,
  );
  const rows = SECTIONS.flatMap((section) =>
    commands
      .filter((each) => each.section === section)
      .map((each) => row(lookUp(`command.${each.id}`), keysOf(each), lookUp(`commands.${section}`))),
  );
  const pointer = POINTER.map((how) => row(lookUp(how.replace(/_how$/, "")), t(how)));
  return [
    "",
    row("with the mouse or by touch", "how"),
    "|---|---|",
    ...pointer,
    "",
    row("by keyboard", "keys", "part"),
    "|---|---|---|",
    ...rows,
    "",
    "",
  ].join("\n");
}

function row(...cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function keysOf({ keys }: Command): string {
  return keys
    .map((each) =>
      keycaps(each, false)
        .map((cap) => `<kbd>${cap}</kbd>`)
        .join(" "),
    )
    .join(" or ");
}

describe("the users' guide", () => {
  it("lists the keys of every command, and no others (GUIDE=write writes them)", () => {
    const guide = readFileSync(GUIDE, "utf-8");
    if (process.env["GUIDE"] === "write")
      writeFileSync(
        GUIDE,
        guide.replace(KEYS, () => tables()),
      );
    expect(KEYS.exec(readFileSync(GUIDE, "utf-8"))?.[0]).toBe(tables());
  });

  it("shows pictures that are there, and all that were taken for it", () => {
    const shown = [GUIDE, join(ROOT, "README.md")].flatMap((paper) =>
      [...readFileSync(paper, "utf-8").matchAll(/(?:src|srcset)="([^"]+)"|!\[[^\]]*\]\(([^)]+)\)/g)].map((found) =>
        join(dirname(paper), found[1] ?? found[2] ?? ""),
      ),
    );
    expect(shown.length).toBeGreaterThan(4);
    expect(shown.filter((each) => !existsSync(each))).toEqual([]);
  });
});
