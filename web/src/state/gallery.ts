/** Everything drawn, the newest first. */

import { pictures as askPictures } from "@/api/client";
import type { DrawnPicture } from "@/api/wire";

import { Pager } from "./pager";

const PAGE = 60;

const pager = new Pager<DrawnPicture>({
  ask: async (next) => {
    const page = await askPictures(PAGE, next);
    return { items: page.pictures, next: page.next };
  },
  keyOf,
  compare: (a, b) => b.modified - a.modified || keyOf(b).localeCompare(keyOf(a)),
});

export const { store: useGallery, loadMore, refresh } = pager;

function keyOf({ type, subfolder, filename }: DrawnPicture): string {
  return `${type}/${subfolder}/${filename}`;
}
