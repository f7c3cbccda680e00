/** Everything drawn, the newest first: in a drawer, or over the whole window. */

import { Maximize2 } from "lucide-react";

import { useGallery } from "@/state/gallery";
import { plural, t } from "@/texts/index";
import { IconButton } from "@/ui/IconButton";
import { Panel } from "@/ui/Panel";

import { FullWindow } from "@/panels/lightbox/FullWindow";
import styles from "./Gallery.module.css";
import { expandGallery, useGalleryView } from "./gallery_view";
import { GalleryBody } from "./GalleryBody";

export function Gallery({ onClose }: { readonly onClose?: (() => void) | undefined }) {
  const isExpanded = useGalleryView((state) => state.isExpanded);
  const actions = <IconButton icon={Maximize2} label={t("gallery.expand")} onPress={() => expandGallery(true)} />;
  return (
    <Panel title={t("gallery.title")} actions={actions} onClose={onClose}>
      {isExpanded ? <p className={styles.elsewhere}>{t("gallery.in_window")}</p> : <GalleryBody smallest={88} />}
    </Panel>
  );
}

/** Stands once in the window, whatever drawer is open. */
export function GalleryWindow() {
  const isExpanded = useGalleryView((state) => state.isExpanded);
  const count = useGallery((state) => state.items.length);
  const hasMore = useGallery((state) => state.hasMore);
  if (!isExpanded) return null;
  const detail = hasMore || count === 0 ? undefined : plural("gallery.count", count);
  return (
    <FullWindow title={t("gallery.title")} detail={detail} onClose={() => expandGallery(false)}>
      <GalleryBody smallest={184} />
    </FullWindow>
  );
}
