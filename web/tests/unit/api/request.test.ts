/** Where the page looks for the server's routes. */

import { expect, test } from "vitest";

import { beside } from "@/api/request";

test.each([
  ["http://127.0.0.1:8188/", null, "http://127.0.0.1:8188/"],
  ["http://127.0.0.1:8188/?token=a%20b", null, "http://127.0.0.1:8188/?token=a%20b"],
  ["https://host/prefix/index.html", undefined, "https://host/prefix/"],
  ["http://127.0.0.1:8188/latentwire/", "../", "http://127.0.0.1:8188/"],
  ["https://host/prefix/latentwire/?token=x", "../", "https://host/prefix/?token=x"],
])("beside %s, told %s, it is %s", (page, root, expected) => {
  expect(beside(page, root)).toBe(expected);
});
