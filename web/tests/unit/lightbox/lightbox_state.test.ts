import { beforeEach, describe, expect, it } from "vitest";

import {
  closeCompare,
  closeLightbox,
  comparePictures,
  nextPicture,
  openPicture,
  previousPicture,
  type ShownPicture,
  swapCompared,
  useLightbox,
} from "@/state/lightbox";

function picture(filename: string): ShownPicture {
  return { filename, subfolder: "", type: "output" };
}

const [a, b, c] = [picture("a"), picture("b"), picture("c")];

beforeEach(() => useLightbox.setState({ shown: null, compared: null }));

describe("looking at pictures one after another", () => {
  it("stops at the first and the last", () => {
    openPicture([a, b, c], 1);
    nextPicture();
    nextPicture();
    expect(useLightbox.getState().shown?.index).toBe(2);
    previousPicture();
    previousPicture();
    previousPicture();
    expect(useLightbox.getState().shown?.index).toBe(0);
    closeLightbox();
    nextPicture();
    expect(useLightbox.getState().shown).toBeNull();
  });

  it("opens nothing where there is no picture", () => {
    openPicture([], 0);
    openPicture([a], -1);
    expect(useLightbox.getState().shown).toBeNull();
  });

  it("swaps the two that are compared", () => {
    swapCompared();
    comparePictures(a, b);
    swapCompared();
    expect(useLightbox.getState().compared).toEqual([b, a]);
    closeCompare();
    expect(useLightbox.getState().compared).toBeNull();
  });
});
