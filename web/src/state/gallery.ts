/** Everything drawn, the newest first: page by page, with new pictures in front as they come. */

import { create } from "zustand";

import { pictures as askPictures } from "@/api/client";
import { asFailure } from "@/api/failure";
import type { DrawnPicture } from "@/api/wire";

import { useRun } from "./run";
import { sentenceOf } from "./run_problems";

export interface Gallery {
  readonly pictures: readonly DrawnPicture[];
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  /** Why the last page could not be had, in words. */
  readonly error: string | null;
}

const PAGE = 60;

/** Where the page after the last one begins; null: there is none, or none was asked for. */
let next: string | null = null;
/** Something was drawn while a page was on its way. */
let isStale = false;

/** Whether anybody has asked for pictures. */
let isWatched = false;

export const useGallery = create<Gallery>()(() => ({ pictures: [], hasMore: true, isLoading: false, error: null }));

/** Asks for the page after the last one. */
export async function loadMore(): Promise<void> {
  const { isLoading, hasMore } = useGallery.getState();
  if (!isLoading && hasMore) await load(next === null ? loadNewest : loadNext);
}

/** Puts what is new in front. */
export async function refresh(): Promise<void> {
  if (useGallery.getState().isLoading) isStale = true;
  else await load(loadNewest);
}

async function load(page: () => Promise<void>): Promise<void> {
  isWatched = true;
  useGallery.setState({ isLoading: true });
  try {
    await page();
    useGallery.setState({ isLoading: false, error: null });
  } catch (error) {
    useGallery.setState({ isLoading: false, error: sentenceOf(asFailure(error)) });
  }
  if (!isStale) return;
  isStale = false;
  await load(loadNewest);
}

async function loadNext(): Promise<void> {
  const page = await askPictures(PAGE, next);
  next = page.next;
  useGallery.setState(({ pictures }) => ({ pictures: joined(pictures, page.pictures), hasMore: next !== null }));
}

/** The first page. Where it does not reach what is there, more was drawn than a page has, and all begins anew. */
async function loadNewest(): Promise<void> {
  const page = await askPictures(PAGE);
  const { pictures } = useGallery.getState();
  const known = new Set(pictures.map(keyOf));
  const reaches = page.pictures.some((each) => known.has(keyOf(each)));
  if (!reaches || page.next === null) {
    next = page.next;
    useGallery.setState({ pictures: page.pictures, hasMore: next !== null });
    return;
  }
  useGallery.setState({ pictures: joined(page.pictures, pictures) });
}

/** Both without doubles; of two words about the same file the first counts. */
function joined(first: readonly DrawnPicture[], second: readonly DrawnPicture[]): DrawnPicture[] {
  return [...new Map([...second, ...first].map((each) => [keyOf(each), each])).values()].toSorted(
    (a, b) => b.modified - a.modified || keyOf(b).localeCompare(keyOf(a)),
  );
}

function keyOf({ type, subfolder, filename }: DrawnPicture): string {
  return `${type}/${subfolder}/${filename}`;
}

/** When a job ends, whoever has asked for pictures gets the new ones. */
useRun.subscribe((state, before) => {
  if (isWatched && state.ended !== before.ended) void refresh();
});
