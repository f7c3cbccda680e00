/**
 * How large a picture is, from the first bytes of its file: a browser that decodes a picture of 200 megapixels may take
 * the whole tab down, so we look before we load. PNG, JPEG, WebP, GIF and BMP.
 */

import type { Size } from "./zoom";

/** More than this is not given to the browser's decoder; 100 megapixels are 400 MB of memory. */
const MAX_SHOWN_PIXELS = 100e6;
/** The mask editor keeps masks beside the picture; 8192 × 8192. */
export const MAX_PAINTED_PIXELS = 8192 * 8192;
/** So many bytes from a file's beginning hold the size, but for JPEGs with huge profiles. */
export const HEADER_BYTES = 256 * 1024;

export function isTooLarge(size: Size | null, limit = MAX_SHOWN_PIXELS): boolean {
  return size !== null && size.width * size.height > limit;
}

/** Returns: null for what is no picture we know, or when the size comes later than `bytes`. */
export function pictureSize(bytes: Uint8Array): Size | null {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = fromPng(data) ?? fromWebp(data) ?? fromGif(data) ?? fromBmp(data) ?? fromJpeg(data);
  return size !== null && size.width > 0 && size.height > 0 ? size : null;
}

function fromPng(data: DataView): Size | null {
  if (data.byteLength < 24 || data.getUint32(0) !== 0x89504e47) return null;
  return { width: data.getUint32(16), height: data.getUint32(20) };
}

function fromGif(data: DataView): Size | null {
  if (data.byteLength < 10 || data.getUint32(0) !== 0x47494638) return null;
  return { width: data.getUint16(6, true), height: data.getUint16(8, true) };
}

function fromBmp(data: DataView): Size | null {
  if (data.byteLength < 26 || data.getUint16(0) !== 0x424d) return null;
  return { width: Math.abs(data.getInt32(18, true)), height: Math.abs(data.getInt32(22, true)) };
}

/** Source: RFC 9649, the three kinds of first chunk. */
function fromWebp(data: DataView): Size | null {
  if (data.byteLength < 30 || data.getUint32(0) !== 0x52494646 || data.getUint32(8) !== 0x57454250) return null;
  const kind = data.getUint32(12);
  if (kind === 0x56503858) return { width: 1 + uint24(data, 24), height: 1 + uint24(data, 27) };
  if (kind === 0x5650384c) {
    const bits = data.getUint32(21, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
  }
  if (kind !== 0x56503820) return null;
  return { width: data.getUint16(26, true) & 0x3fff, height: data.getUint16(28, true) & 0x3fff };
}

function uint24(data: DataView, at: number): number {
  return data.getUint16(at, true) | (data.getUint8(at + 2) << 16);
}

/** Goes from marker to marker until a frame header. Turned pictures (EXIF) may have width and height exchanged. */
function fromJpeg(data: DataView): Size | null {
  if (data.byteLength < 4 || data.getUint16(0) !== 0xffd8) return null;
  let at = 2;
  while (at + 9 <= data.byteLength) {
    if (data.getUint8(at) !== 0xff) return null;
    const marker = data.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1; // a fill byte
    } else if (isFrame(marker)) {
      return { width: data.getUint16(at + 7), height: data.getUint16(at + 5) };
    } else {
      at += 2 + data.getUint16(at + 2);
    }
  }
  return null;
}

/** SOF0 to SOF15, but for the three markers between them that are none: DHT, JPG, DAC. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}
