import { expect, test } from "vitest";

import { search } from "@/graph/search";

import { TYPES } from "./node_types";

function ids(query: string, ...rest: unknown[]): readonly string[] {
  return search(TYPES, query, ...(rest as [])).map((hit) => hit.id);
}

test.each([
  ["ksampler", "KSampler"],
  ["ksamp adv", "KSamplerAdvanced"],
  ["vae dec", "VAEDecode"],
  ["load image", "LoadImage"],
  ["reroute", "Reroute"],
  ["comment", "Note"],
  ["shrink", "TestChoice"],
])("%s finds %s among the first", (query, id) => {
  expect(ids(query).slice(0, 3)).toContain(id);
});

test("what matched is told, to be highlighted", () => {
  const hit = search(TYPES, "ksampler").find((each) => each.id === "KSampler");
  expect(hit?.ranges).toEqual([[0, 8]]);
  expect(search(TYPES, "shrink").find((each) => each.id === "TestChoice")?.alias).toBe("shrink");
});

test("the list narrows to what fits the end of a wire", () => {
  const takers = ids("", { accepts: "LATENT" });
  expect(takers).toContain("VAEDecode");
  expect(takers).toContain("Reroute");
  expect(takers).not.toContain("VAEEncode");
  const givers = ids("", { gives: "LATENT" });
  expect(givers).toContain("EmptyLatentImage");
  expect(givers).not.toContain("VAEDecode");
  expect(ids("", { accepts: "FLOAT" })).toContain("KSampler");
  expect(ids("", { gives: "FLOAT" })).toContain("PrimitiveNode");
});

test("without a query those used of late come first", () => {
  expect(ids("", {}, ["VAEDecode", "KSampler"]).slice(0, 2)).toEqual(["VAEDecode", "KSampler"]);
  expect(ids("")).toHaveLength(new Set(ids("")).size);
});

test("nonsense finds nothing", () => {
  expect(ids("qqqzzzxxx")).toEqual([]);
});
