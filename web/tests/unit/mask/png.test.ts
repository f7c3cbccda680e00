import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { beginStroke, emptyMask, endStroke, paint, valueAt } from "@/panels/mask/mask";
import { maskPng } from "@/panels/mask/png";

describe("the mask's file", () => {
  it("is a PNG that Pillow reads, whose alpha is 255 minus the mask, pixel for pixel", async () => {
    const mask = emptyMask({ width: 301, height: 263 });
    const stroke = beginStroke(false);
    paint(mask, stroke, { radius: 40, hardness: 0.2 }, { x: 30, y: 30 }, { x: 280, y: 250 });
    endStroke(mask, stroke);
    const file = join(mkdtempSync(join(tmpdir(), "mask-")), "mask.png");
    writeFileSync(file, new Uint8Array(await (await maskPng(mask)).arrayBuffer()));
    const script = `
from PIL import Image
import sys
p = Image.open(sys.argv[1]); p.load()
sys.stdout.write(p.mode + " " + str(p.size) + "\\n"); sys.stdout.flush()
sys.stdout.buffer.write(p.getchannel("A").tobytes())`;
    const out = execFileSync(join(process.cwd(), "../.venv/bin/python"), ["-c", script, file]);
    const end = out.indexOf(10);
    expect(out.subarray(0, end).toString()).toBe("LA (301, 263)");
    const alpha = out.subarray(end + 1);
    expect(alpha).toHaveLength(301 * 263);
    const wrong = alpha.findIndex((value, i) => value !== 255 - valueAt(mask, i % 301, Math.floor(i / 301)));
    expect(wrong).toBe(-1);
    expect(new Set(alpha).size).toBeGreaterThan(50); // soft edges are there
  });
});
