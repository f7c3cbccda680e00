import { describe, expect, it } from "vitest";

import { readBinary, readText } from "@/api/frames";

/** Big-endian numbers, counted texts and bytes as the protocol writes them, written by Node and not by our reader. */
function frame(...parts: (number | string | Buffer)[]): ArrayBuffer {
  const buffers = parts.flatMap((each) => {
    if (typeof each === "number") return [number(each)];
    return typeof each === "string" ? [number(Buffer.byteLength(each)), Buffer.from(each)] : [each];
  });
  return new Uint8Array(Buffer.concat(buffers)).buffer;
}

function number(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}

const JPEG = Buffer.from("ffd8ffe000104a464946", "hex");

describe("binary frames", () => {
  it("say whose preview it is", () => {
    const about = '{"node_id": "3.0", "prompt_id": "p", "display_node_id": "3", "image_type": "image/jpeg"}';
    const read = readBinary(frame(4, about, JPEG), true);
    expect(read).toMatchObject({ type: "preview", job: "p", node: "3.0", display: "3", mime: "image/jpeg" });
    expect(read?.type === "preview" && Buffer.from(read.bytes)).toEqual(JPEG);
  });

  it("are read in the older form, which does not say whose they are", () => {
    expect(readBinary(frame(1, 2, JPEG), false)).toMatchObject({ type: "preview", job: null, mime: "image/png" });
    expect(readBinary(frame(1, 1, JPEG), false)).toMatchObject({ type: "preview", node: null, mime: "image/jpeg" });
  });

  it("carry texts with and without the job's id, in any script", () => {
    expect(readBinary(frame(3, "7", Buffer.from("加载 30 %")), false)).toEqual({
      type: "text",
      job: null,
      node: "7",
      text: "加载 30 %",
    });
    expect(readBinary(frame(3, "p", "7", Buffer.from("x")), true)).toEqual({
      type: "text",
      job: "p",
      node: "7",
      text: "x",
    });
  });

  it("are left out when they are cut off or unknown", () => {
    const whole = frame(4, '{"node_id": "3"}', JPEG);
    for (let size = 0; size < 20; size++) expect(readBinary(whole.slice(0, size), true)).toBeNull();
    expect(readBinary(frame(4, "[]", JPEG), true)).toBeNull();
    expect(readBinary(frame(9999, JPEG), true)).toBeNull();
  });
});

describe("text frames", () => {
  it("have a type, data and perhaps a number", () => {
    expect(readText('{"type": "executing", "data": {"node": null, "prompt_id": "p"}, "id": 31}')).toEqual({
      type: "executing",
      data: { node: null, prompt_id: "p" },
      id: 31,
    });
  });

  it("mean nothing when they are malformed or of a plugin's own type", () => {
    for (const each of [
      "",
      "{",
      "null",
      "[]",
      '{"type": "executing"}',
      '{"type": "crystools.monitor", "data": {}}',
      '{"type": "toString", "data": {}}',
    ]) {
      expect(readText(each)).toBeNull();
    }
  });
});
