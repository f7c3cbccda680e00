/**
 * The mask as a PNG whose alpha is 255 − mask, grey and alpha in 8 bits: written here rather than by a canvas, which
 * some browsers limit to 16 megapixels and which would need four bytes a pixel at once. No DOM.
 */

import { type Mask, rowAt } from "./mask";

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const GREY_AND_ALPHA = 4;
/** So many at once: few steps for the compressor, and a few megabytes at most. */
const ROWS = 64;

/** Source: W3C PNG, third edition. */
export async function maskPng(mask: Mask): Promise<Blob> {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, mask.width);
  view.setUint32(4, mask.height);
  header[8] = 8;
  header[9] = GREY_AND_ALPHA;
  const pixels = await packed(mask);
  return new Blob(
    [new Uint8Array(SIGNATURE), chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", new Uint8Array(0))],
    { type: "image/png" },
  );
}

async function packed(mask: Mask): Promise<Uint8Array<ArrayBuffer>> {
  const deflate = new CompressionStream("deflate");
  const whole = new Response(deflate.readable).arrayBuffer();
  const writer = deflate.writable.getWriter();
  const row = new Uint8Array(mask.width);
  for (let y = 0; y < mask.height; y += ROWS) {
    const count = Math.min(ROWS, mask.height - y);
    const length = 1 + mask.width * 2; // no filter, then grey 0 and alpha
    const lines = new Uint8Array(count * length);
    for (let i = 0; i < count; i += 1) {
      rowAt(mask, y + i, row);
      for (let x = 0; x < mask.width; x += 1) lines[i * length + 2 + x * 2] = 255 - (row[x] ?? 0);
    }
    await writer.write(lines);
  }
  await writer.close();
  return new Uint8Array(await whole);
}

function chunk(name: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i += 1) bytes[4 + i] = name.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = (TABLE[(value ^ byte) & 255] ?? 0) ^ (value >>> 8);
  return ~value >>> 0;
}
