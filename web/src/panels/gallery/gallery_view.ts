/** What the gallery's drawer and its full window share: which pictures are chosen for comparing, and where it is shown. */

import { create } from "zustand";

import { comparePictures, pictureKey, type ShownPicture } from "@/state/lightbox";

import { chosenWith } from "./rows";

interface GalleryView {
  readonly isExpanded: boolean;
  /** Keys of at most two pictures. */
  readonly chosen: readonly string[];
}

export const useGalleryView = create<GalleryView>()(() => ({ isExpanded: false, chosen: [] }));

export function expandGallery(isExpanded: boolean): void {
  useGalleryView.setState({ isExpanded });
}

export function choose(picture: ShownPicture): void {
  useGalleryView.setState(({ chosen }) => ({ chosen: chosenWith(chosen, pictureKey(picture)) }));
}

export function chooseNone(): void {
  useGalleryView.setState({ chosen: [] });
}

/** The older of two on the left: one sees what became of it. */
export function compareChosen(pictures: readonly ShownPicture[]): void {
  const { chosen } = useGalleryView.getState();
  const [newer, older] = pictures.filter((each) => chosen.includes(pictureKey(each)));
  if (newer !== undefined && older !== undefined) comparePictures(older, newer);
}
