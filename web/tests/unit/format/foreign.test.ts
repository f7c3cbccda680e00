/** Files that are no workflows, and workflows that another program wrote oddly: what is said of them. */

import { expect, test } from "vitest";

import { read, write } from "@/format/editor_file";
import { open } from "@/format/open";

const NONE = new Map();

function refusal(content: string | Uint8Array, name: string): string {
  const found = open(content, name, NONE);
  return found.ok ? "opened" : found.reason.code;
}

test("what does not begin like JSON is no workflow, and no line of it is blamed", () => {
  const program = Uint8Array.from("MZ this program cannot be run", (each) => each.charCodeAt(0));
  expect(refusal(program, "x.exe")).toBe("reason.file_of_no_kind");
  expect(refusal(Uint8Array.from([0x4d, 0x5a, 0x90, 0xff, 0xfe]), "x.exe")).toBe("reason.file_of_no_kind");
  expect(refusal("a cat on a mat", "pic.txt")).toBe("reason.file_of_no_kind");
});

test("JSON that is cut short says where it ends", () => {
  const found = open('\ufeff {"nodes": [', "a.json", NONE);
  expect(found.ok ? null : found.reason).toMatchObject({ code: "reason.file_not_json", words: { line: 1 } });
});

test("a list of nodes without a single node is refused, an empty one is an empty workflow", () => {
  expect(refusal('{"nodes":[null,1,"a",{}]}', "a.json")).toBe("reason.file_without_readable_node");
  expect(refusal('{"nodes":[]}', "a.json")).toBe("opened");
  expect(refusal('{"nodes":[null,{"id":1,"type":"X"}]}', "a.json")).toBe("opened");
});

test("a node beyond all bounds is put back, said, and stays there when it is saved", () => {
  const good = { id: 1, type: "X", pos: [10, 20], size: [300, 200] };
  const text = `{"nodes":[${JSON.stringify(good)},{"id":2,"type":"X","pos":[1e400,-1e308],"size":[-5,1e300]}]}`;
  const found = open(text, "a.json", NONE);
  if (!found.ok) throw new Error(found.reason.code);
  const { document, notes } = found.value;
  expect(document.root.nodes.get("1")).toMatchObject({ x: 10, y: 20, width: 300, height: 200 });
  expect(document.root.nodes.get("2")).toMatchObject({ x: 0, y: 0, width: 210, height: 60 });
  expect(notes).toContainEqual({ code: "reason.file_mended_places", words: { count: 1 } });
  const again = read(write(document, NONE), NONE);
  expect(again.ok && again.value.document).toEqual(document);
});
