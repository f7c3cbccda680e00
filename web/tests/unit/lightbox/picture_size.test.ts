import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { isTooLarge, pictureSize } from "@/panels/lightbox/picture_size";

/** The first bytes that other programs' encoders write for a 300 × 17 picture, cut to what matters. */
const SAMPLES: Readonly<Record<string, string>> = {
  png: "89504e470d0a1a0a0000000d494844520000012c000000110802000000",
  gif: "4749463839612c01110081000000",
  bmp: "424d360000000000000036000000280000002c010000110000000100",
  lossyWebp: "52494646aa00000057454250565038209e0000005005009d012a2c0111003e",
  losslessWebp: "524946461a000000574542505650384c0d0000002f2b0104100000000000",
  extendedWebp: "524946461a00000057454250565038580a000000100000002b0100100000",
  jpeg: "ffd8ffe000104a46494600010100000100010000ffdb0004ffffffc00011080011012c03012200",
};

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

describe("the size of a picture", () => {
  it.each(Object.entries(SAMPLES))("is read from the first bytes of a %s", (_, hex) => {
    expect(pictureSize(bytes(hex))).toEqual({ width: 300, height: 17 });
  });

  it.each(Object.entries(SAMPLES))("is unknown, not wrong, for a %s that ends early", (_, hex) => {
    for (let length = 0; length < 10; length += 1) expect(pictureSize(bytes(hex).subarray(0, length))).toBeNull();
  });

  it("is unknown for what is no picture", () => {
    expect(
      pictureSize(new TextEncoder().encode('{"a": 1, "this is": "a longer text than the headers need"}')),
    ).toBeNull();
    expect(pictureSize(new Uint8Array(100))).toBeNull();
  });

  it("is that which Pillow reads, for files that Pillow wrote", () => {
    const python = join(process.cwd(), "../.venv/bin/python");
    const folder = mkdtempSync(join(tmpdir(), "sizes-"));
    const script = `
from PIL import Image
import sys
p = Image.effect_noise((301, 77), 50).convert("RGB")
for n, o in {"a.png":{}, "a.jpg":{"exif":b"Exif\\0\\0"+b"x"*9000, "progressive":True}, "a.webp":{}, "b.webp":{"lossless":True}, "c.webp":{"exif":b"x"*50}, "a.gif":{}, "a.bmp":{}}.items():
    p.save(sys.argv[1] + "/" + n, **o)`;
    execFileSync(python, ["-c", script, folder]);
    for (const name of ["a.png", "a.jpg", "a.webp", "b.webp", "c.webp", "a.gif", "a.bmp"]) {
      expect([name, pictureSize(readFileSync(join(folder, name)))]).toEqual([name, { width: 301, height: 77 }]);
    }
  });

  it("tells of 200 megapixels before anything decodes them", () => {
    const header = bytes(SAMPLES["png"] ?? "");
    new DataView(header.buffer).setUint32(16, 20_000);
    new DataView(header.buffer).setUint32(20, 10_000);
    expect(isTooLarge(pictureSize(header))).toBe(true);
    expect(isTooLarge({ width: 8192, height: 8192 })).toBe(false);
    expect(isTooLarge(null)).toBe(false);
  });
});
