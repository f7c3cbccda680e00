/** What can be done with pictures by name: for menus, shortcuts and the command search. */

import type { Command } from "@/state/commands";
import { refresh, useGallery } from "@/state/gallery";
import { comparePictures, openPicture } from "@/state/lightbox";
import { type MaskTarget, maskTarget, openMaskEditor } from "@/state/mask_editing";
import { toast } from "@/state/toasts";
import { activeTab } from "@/state/workbench";
import { t } from "@/texts/index";

import { expandGallery, useGalleryView } from "./gallery_view";

export const lookCommands: readonly Command[] = [
  {
    id: "gallery.expand",
    section: "view",
    keys: ["Mod+Shift+KeyG"],
    run: () => expandGallery(!useGalleryView.getState().isExpanded),
  },
  { id: "gallery.latest", section: "view", keys: [], run: () => withNewest(1, (pictures) => openPicture(pictures, 0)) },
  {
    id: "gallery.compare",
    section: "view",
    keys: [],
    run: () =>
      withNewest(2, ([newer, older]) => {
        if (newer !== undefined && older !== undefined) comparePictures(older, newer);
      }),
  },
  {
    id: "mask.edit",
    section: "node",
    keys: [],
    isEnabled: () => selectedTarget() !== null,
    run: () => {
      const target = selectedTarget();
      if (target !== null) openMaskEditor(target);
    },
  },
];

/** Of the one node that is selected, when it loads a picture. */
function selectedTarget(): MaskTarget | null {
  const tab = activeTab();
  const [id, ...others] = tab?.selection.nodes ?? [];
  return tab === null || id === undefined || others.length > 0 ? null : maskTarget(tab, id);
}

type Pictures = ReturnType<typeof useGallery.getState>["items"];

/** Does something with the pictures, when there are at least `count`; says so when there are not. */
async function withNewest(count: number, then: (pictures: Pictures) => void): Promise<void> {
  await refresh();
  const { items: pictures } = useGallery.getState();
  if (pictures.length < count) toast("info", t("gallery.empty"));
  else then(pictures);
}
