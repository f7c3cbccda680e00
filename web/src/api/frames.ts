/** What a frame of the socket says: JSON messages with their numbers, and the binary frames 1, 3 and 4. Pure. */

import { isObject, type JsonObject, parse } from "@/json/exact";
import type { Message, Messages } from "./wire";

/** A picture in the making. `node` and `job` are null in the older frame, which does not say whose it is. */
interface PreviewFrame {
  readonly type: "preview";
  readonly job: string | null;
  readonly node: string | null;
  /** The node on the screen. */
  readonly display: string | null;
  readonly mime: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A line of text that a node shows while it runs. */
interface TextFrame {
  readonly type: "text";
  readonly job: string | null;
  readonly node: string;
  readonly text: string;
}

export type Frame = Message | PreviewFrame | TextFrame;

const TYPES: Readonly<Record<keyof Messages, true>> = {
  status: true,
  feature_flags: true,
  execution_start: true,
  execution_cached: true,
  executing: true,
  progress: true,
  progress_state: true,
  executed: true,
  execution_success: true,
  execution_error: true,
  execution_interrupted: true,
  logs: true,
};

/** A text frame; null for one that means nothing to us (plugins send types of their own). */
export function readText(text: string): Message | null {
  const message = parsed(text);
  if (!isObject(message)) return null;
  const { type, data, id } = message;
  if (typeof type !== "string" || !isObject(data)) return null;
  return messageOf(type, data, typeof id === "number" ? id : null);
}

/** A message of a known type; null for any other. */
export function messageOf(type: string, data: JsonObject, number: number | null): Message | null {
  if (!Object.hasOwn(TYPES, type)) return null;
  const message = number === null ? { type, data } : { type, data, id: number };
  return message as unknown as Message;
}

/**
 * A binary frame; null for one that we do not know or that is cut off. `hasPrompt`: the texts of frame 3 have the job's
 * id in front, which both sides have to announce.
 */
export function readBinary(buffer: ArrayBuffer, hasPrompt: boolean): PreviewFrame | TextFrame | null {
  const reader = new Reader(buffer);
  try {
    switch (reader.number()) {
      case 1:
        return preview(null, reader.number() === 2 ? "image/png" : "image/jpeg", reader.rest());
      case 3:
        return {
          type: "text",
          job: hasPrompt ? reader.text() : null,
          node: reader.text(),
          text: decode(reader.rest()),
        };
      case 4: {
        const about = parsed(reader.text());
        return isObject(about) ? preview(about, textAt(about, "image_type") ?? "image/jpeg", reader.rest()) : null;
      }
      default:
        return null;
    }
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function preview(about: JsonObject | null, mime: string, bytes: Uint8Array<ArrayBuffer>): PreviewFrame {
  const of = about ?? {};
  const node = textAt(of, "node_id");
  return {
    type: "preview",
    job: textAt(of, "prompt_id"),
    node,
    display: textAt(of, "display_node_id") ?? node,
    mime,
    bytes,
  };
}

function textAt(object: JsonObject, name: string): string | null {
  const value = object[name];
  return typeof value === "string" ? value : null;
}

function parsed(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return null;
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Reads big-endian numbers and counted texts one after the other. Throws a RangeError where the frame is cut off. */
class Reader {
  private at = 0;

  constructor(private readonly buffer: ArrayBuffer) {}

  number(): number {
    const value = new DataView(this.buffer).getUint32(this.at);
    this.at += 4;
    return value;
  }

  text(): string {
    const length = this.number();
    const bytes = new Uint8Array(this.buffer, this.at, length);
    this.at += length;
    return decode(bytes);
  }

  rest(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.buffer, this.at);
  }
}
