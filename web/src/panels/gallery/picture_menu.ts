/** What can be done with a picture of the gallery. */

import { CheckSquare, Columns2, Copy, Download, Expand, ImageUp, Link, Workflow } from "lucide-react";

import { comparePictures, closeLightbox, openPicture, pictureKey, type ShownPicture } from "@/state/lightbox";
import { t } from "@/texts/index";
import type { MenuItem } from "@/ui/Menu";

import { copyPath, copyPicture, downloadPicture, loadAsInput, openWorkflowOf } from "@/panels/lightbox/picture_actions";
import { choose, expandGallery } from "./gallery_view";

export function menuOf(
  picture: ShownPicture,
  pictures: readonly ShownPicture[],
  chosen: readonly string[],
): readonly MenuItem[] {
  const key = pictureKey(picture);
  const other = pictures.find((each) => chosen.includes(pictureKey(each)) && pictureKey(each) !== key);
  const isChosen = chosen.includes(key);
  return [
    { id: "open", label: t("picture.open"), icon: Expand, keys: "Enter", onAction: () => open(picture, pictures) },
    { id: "workflow", label: t("picture.open_workflow"), icon: Workflow, onAction: () => void workflow(picture) },
    { id: "input", label: t("picture.use_as_input"), icon: ImageUp, onAction: () => load(picture) },
    "separator",
    {
      id: "compare",
      label: t("gallery.compare_with_chosen"),
      icon: Columns2,
      isDisabled: other === undefined,
      onAction: () => other !== undefined && comparePictures(other, picture),
    },
    {
      id: "choose",
      label: t(isChosen ? "gallery.unchoose" : "gallery.compare_next"),
      icon: CheckSquare,
      keys: "Space",
      onAction: () => choose(picture),
    },
    "separator",
    { id: "copy", label: t("picture.copy"), icon: Copy, onAction: () => void copyPicture(picture) },
    { id: "path", label: t("picture.copy_path"), icon: Link, onAction: () => void copyPath(picture) },
    { id: "download", label: t("picture.download"), icon: Download, onAction: () => downloadPicture(picture) },
  ];
}

/** The picture over the whole window, with all the others beside it. */
export function open(picture: ShownPicture, pictures: readonly ShownPicture[]): void {
  openPicture(pictures, pictures.indexOf(picture));
}

async function workflow(picture: ShownPicture): Promise<void> {
  if (await openWorkflowOf(picture)) leave();
}

function load(picture: ShownPicture): void {
  loadAsInput(picture);
  leave();
}

/** What was asked for lies below: on the canvas. */
function leave(): void {
  expandGallery(false);
  closeLightbox();
}
