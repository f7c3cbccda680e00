import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { DrawnPicture } from "@/api/wire";

import { json, serve, type TestServer } from "../api/server";

const PAGE = 60;

function picture(number: number): DrawnPicture {
  const filename = `p_${String(number).padStart(5, "0")}.png`;
  return { filename, subfolder: "", type: "output", size: 1, modified: number, width: 8, height: 8 };
}

let server: TestServer;
/** How many pictures there are, the newest has the highest number. */
let drawn = 0;
let isBroken = false;

beforeEach(async () => {
  vi.resetModules();
  isBroken = false;
  server = await serve((response, url) => {
    if (isBroken) return json(response, { error: "no" }, 500);
    const query = new URL(url, "http://x").searchParams;
    const before = Number(query.get("before") ?? drawn + 1);
    const numbers = Array.from({ length: Math.min(Number(query.get("limit")), before - 1) }, (_, i) => before - 1 - i);
    const last = numbers.at(-1) ?? 1;
    return json(response, { pictures: numbers.map(picture), next: last > 1 ? String(last) : null });
  });
});

afterEach(() => server.close());

async function opened() {
  const { setPlace: setFreshPlace } = await import("@/api/client");
  setFreshPlace(`${server.address}/`);
  const gallery = await import("@/state/gallery");
  const { useRun } = await import("@/state/run");
  const numbers = () => gallery.useGallery.getState().items.map((each) => each.modified);
  return { ...gallery, useRun, numbers };
}

function down(from: number, to: number): number[] {
  return Array.from({ length: from - to + 1 }, (_, i) => from - i);
}

it("shows the newest first, page by page to the end", async () => {
  drawn = 150;
  const { loadMore, numbers, useGallery } = await opened();
  await loadMore();
  expect(numbers()).toEqual(down(150, 150 - PAGE + 1));
  await loadMore();
  await loadMore();
  expect(numbers()).toEqual(down(150, 1));
  expect(useGallery.getState().hasMore).toBe(false);
});

it("puts new pictures in front when a job ends, and none twice", async () => {
  drawn = 100;
  const { loadMore, numbers, useRun } = await opened();
  await loadMore();
  await loadMore();
  drawn = 103;
  useRun.setState({ ended: 1 });
  await vi.waitFor(() => expect(numbers()).toEqual(down(103, 1)));
});

it("begins anew when more was drawn than a page has, without a gap", async () => {
  drawn = 70;
  const { loadMore, refresh, numbers } = await opened();
  await loadMore();
  drawn = 500;
  await refresh();
  expect(numbers()).toEqual(down(500, 500 - PAGE + 1));
  await loadMore();
  expect(numbers()).toEqual(down(500, 500 - 2 * PAGE + 1));
});

it("leaves out pictures that are gone when they were on the first page", async () => {
  drawn = 5;
  const { loadMore, refresh, numbers } = await opened();
  await loadMore();
  drawn = 4;
  await refresh();
  expect(numbers()).toEqual(down(4, 1));
});

it("says what went wrong, and goes on where it stopped", async () => {
  drawn = 100;
  const { loadMore, numbers, useGallery } = await opened();
  await loadMore();
  isBroken = true;
  await loadMore();
  expect(useGallery.getState()).toMatchObject({ isLoading: false, error: "The server could not do that." });
  isBroken = false;
  await loadMore();
  expect(numbers()).toEqual(down(100, 1));
  expect(useGallery.getState().error).toBeNull();
});
