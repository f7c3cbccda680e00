/**
 * Workflows inside pictures: JSON texts in PNG text chunks and in the EXIF data of WebP and JPEG files.
 *
 * Trusts nothing: every length is checked against what is there and everything unpacked has a bound. No picture is
 * decoded, so a damaged or huge one costs nothing. The same as the server's engine/metadata.py.
 */

import { Unzlib } from "fflate";

import { MAX_BYTES } from "./json";

/** The texts that hold a graph: the editor's own format, and the graph as it was run. */
interface PictureTexts {
  readonly workflow?: string;
  readonly prompt?: string;
}

/** EXIF entries looked at; a camera writes about a hundred. */
const MOST_TAGS = 4096;
const EXIF_FOLDER = 0x8769;
/** BYTE, ASCII, UNDEFINED, UTF-8: one byte per item each. */
const TEXT_TYPES: ReadonlySet<number> = new Set([1, 2, 7, 129]);

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const JPEG = [0xff, 0xd8, 0xff];

/** Whether a file that begins like this is one `textsIn` can look into. */
export function isPicture(bytes: Uint8Array): boolean {
  return begins(bytes, PNG) || begins(bytes, JPEG) || isWebp(bytes);
}

/** The JSON texts a picture carries; empty when it has none or is no picture. */
export function textsIn(bytes: Uint8Array): PictureTexts {
  const found: { workflow?: string; prompt?: string } = {};
  for (const [key, text] of pairsIn(bytes)) {
    const name = key.toLowerCase();
    if (name === "workflow" || name === "prompt") found[name] ??= text;
  }
  return found;
}

type Pair = readonly [string, string];

function pairsIn(bytes: Uint8Array): Iterable<Pair> {
  if (begins(bytes, PNG)) return pngTexts(bytes);
  if (isWebp(bytes)) return exifTexts(webpExif(bytes));
  return begins(bytes, JPEG) ? exifTexts(jpegExif(bytes)) : [];
}

function begins(bytes: Uint8Array, head: readonly number[]): boolean {
  return head.every((each, i) => bytes[i] === each);
}

function isWebp(bytes: Uint8Array): boolean {
  return latin1(bytes.subarray(0, 4)) === "RIFF" && latin1(bytes.subarray(8, 12)) === "WEBP";
}

// ---------------------------------------------------------------------------------------------------------------- PNG

function* pngTexts(bytes: Uint8Array): Generator<Pair> {
  const view = viewOf(bytes);
  let at = PNG.length;
  while (at + 8 <= bytes.length) {
    const length = view.getUint32(at);
    const kind = latin1(bytes.subarray(at + 4, at + 8));
    const end = at + 8 + length;
    if (kind === "IEND") return;
    if (["tEXt", "zTXt", "iTXt", "comf"].includes(kind) && length <= MAX_BYTES) {
      if (end > bytes.length) return;
      const [key, rest] = atZero(bytes.subarray(at + 8, end));
      const text = pngText(kind, rest);
      if (text !== null) yield [latin1(key), text];
    }
    at = end + 4;
  }
}

/** The text of a chunk after its keyword; null when it is damaged or unpacks to too much. */
function pngText(kind: string, data: Uint8Array): string | null {
  if (kind === "zTXt") return unpacked(data.subarray(1)); // after the method, always 0
  if (kind !== "iTXt") return decode(data);
  const [, afterLanguage] = atZero(data.subarray(2));
  const [, text] = atZero(afterLanguage); // after the keyword in that language
  return data[0] === 1 ? unpacked(text) : decode(text);
}

function unpacked(data: Uint8Array): string | null {
  const parts: Uint8Array[] = [];
  let size = 0;
  const unpacker = new Unzlib((part) => {
    size += part.length;
    if (size > MAX_BYTES) throw new RangeError("unpacks to too much");
    parts.push(part);
  });
  try {
    // In pieces, so that what unpacks to a thousand times its size is stopped early.
    for (let at = 0; at < data.length; at += 16_384) {
      unpacker.push(data.subarray(at, at + 16_384), at + 16_384 >= data.length);
    }
  } catch {
    return null;
  }
  return decode(joined(parts, size));
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function atZero(data: Uint8Array): readonly [Uint8Array, Uint8Array] {
  const end = data.indexOf(0);
  return end === -1 ? [data, new Uint8Array()] : [data.subarray(0, end), data.subarray(end + 1)];
}

// ------------------------------------------------------------------------------------------------------ WebP and JPEG

function webpExif(bytes: Uint8Array): Uint8Array {
  const view = viewOf(bytes);
  let at = 12;
  while (at + 8 <= bytes.length) {
    const length = view.getUint32(at + 4, true);
    if (latin1(bytes.subarray(at, at + 4)) === "EXIF") return withoutHead(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length + (length % 2);
  }
  return new Uint8Array();
}

function jpegExif(bytes: Uint8Array): Uint8Array {
  const view = viewOf(bytes);
  let at = 2;
  while (at + 4 <= bytes.length) {
    const [marker, length] = [view.getUint16(at), view.getUint16(at + 2)];
    if (marker >> 8 !== 0xff || marker === 0xffda || length < 2) break; // the pixels begin, or it is no marker
    const data = bytes.subarray(at + 4, at + 2 + length);
    if (marker === 0xffe1 && hasExifHead(data)) return withoutHead(data);
    at += 2 + length;
  }
  return new Uint8Array();
}

function hasExifHead(data: Uint8Array): boolean {
  return latin1(data.subarray(0, 6)) === "Exif\0\0";
}

function withoutHead(data: Uint8Array): Uint8Array {
  return hasExifHead(data) ? data.subarray(6) : data;
}

/** Every "key:text" among the texts of EXIF data (a small TIFF file). */
function* exifTexts(data: Uint8Array): Generator<Pair> {
  const head = latin1(data.subarray(0, 4));
  if ((head !== "II*\0" && head !== "MM\0*") || data.length < 8) return;
  const isLittle = head.startsWith("I");
  const view = viewOf(data);
  for (const [tag, value] of exifEntries(data, view, isLittle, view.getUint32(4, isLittle))) {
    const isFolder = tag === EXIF_FOLDER && value.length >= 4;
    const inner = isFolder
      ? exifEntries(data, view, isLittle, viewOf(value).getUint32(0, isLittle))
      : [[tag, value] as const];
    for (const [, text] of inner) {
      const whole = decode(text).replace(/\0+$/, "");
      const colon = whole.indexOf(":");
      if (colon !== -1)
        yield [
          whole
            .slice(0, colon)
            .trim()
            .replace(/^ASCII\0\0\0/, ""),
          whole.slice(colon + 1),
        ];
    }
  }
}

/** (tag, value's bytes) of one folder of EXIF data; entries that point outside of the data are left out. */
function* exifEntries(
  data: Uint8Array,
  view: DataView,
  isLittle: boolean,
  offset: number,
): Generator<readonly [number, Uint8Array]> {
  if (offset + 2 > data.length) return;
  const count = Math.min(view.getUint16(offset, isLittle), MOST_TAGS);
  for (let n = 0; n < count; n++) {
    const at = offset + 2 + 12 * n;
    if (at + 12 > data.length) return;
    const [tag, kind] = [view.getUint16(at, isLittle), view.getUint16(at + 2, isLittle)];
    const [length, where] = [view.getUint32(at + 4, isLittle), view.getUint32(at + 8, isLittle)];
    if (tag === EXIF_FOLDER) {
      yield [tag, data.subarray(at + 8, at + 12)];
    } else if (TEXT_TYPES.has(kind)) {
      const start = length <= 4 ? at + 8 : where;
      if (start + length <= data.length) yield [tag, data.subarray(start, start + length)];
    }
  }
}

// --------------------------------------------------------------------------------------------------------------- both

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Text by the standard is Latin-1 outside iTXt, but many programs write UTF-8 everywhere. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return latin1(bytes);
  }
}

/** Each byte as the character of its number; TextDecoder's "latin1" is another table. */
function latin1(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  return parts.join("");
}
