/** One picture of the gallery: opens by click or Enter, is chosen for comparing by its mark or Space. */

import { Check, Ellipsis, ImageOff } from "lucide-react";
import { memo, useState } from "react";

import { viewUrl } from "@/api/client";
import { useGallery } from "@/state/gallery";
import type { ShownPicture } from "@/state/lightbox";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { Icon } from "@/ui/Icon";

import { dateAndTime, resolution } from "@/panels/lightbox/words";
import styles from "./Gallery.module.css";
import { choose } from "./gallery_view";
import type { PictureMenu } from "./GalleryGrid";
import { open } from "./picture_menu";

interface GalleryPictureProps {
  readonly picture: ShownPicture;
  readonly index: number;
  readonly isCurrent: boolean;
  readonly isChosen: boolean;
  readonly onMenu: (menu: PictureMenu) => void;
}

export const GalleryPicture = memo(Cell);

function Cell({ picture, index, isCurrent, isChosen, onMenu }: GalleryPictureProps) {
  const [state, setState] = useState<"loading" | "there" | "broken">("loading");
  const name = picture.filename;
  return (
    <div className={classes(styles.cell, isChosen && styles.isChosen)} data-state={state}>
      <button
        type="button"
        className={styles.picture}
        data-index={index}
        tabIndex={isCurrent ? 0 : -1}
        aria-label={t("gallery.picture", { name, facts: factsOf(picture) })}
        aria-pressed={isChosen}
        onClick={() => open(picture, useGallery.getState().items)}
      >
        {state === "broken" ? (
          <span className={styles.broken} title={t("gallery.broken", { name })}>
            <Icon icon={ImageOff} size={20} />
            <span className={styles.brokenName}>{name}</span>
          </span>
        ) : (
          <img
            className={styles.image}
            src={viewUrl(picture, { size: 256, version: picture.modified ?? 0 })}
            alt=""
            decoding="async"
            draggable={false}
            onLoad={() => setState("there")}
            onError={() => setState("broken")}
          />
        )}
      </button>
      <button
        type="button"
        tabIndex={-1}
        className={styles.mark}
        aria-label={t("gallery.choose", { name })}
        aria-pressed={isChosen}
        onClick={() => choose(picture)}
      >
        <span className={styles.markBox}>{isChosen && <Icon icon={Check} size={14} />}</span>
      </button>
      <button
        type="button"
        tabIndex={-1}
        className={styles.more}
        aria-label={t("gallery.more", { name })}
        aria-haspopup="menu"
        onClick={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          onMenu({ picture, x: box.left, y: box.bottom });
        }}
      >
        <span className={styles.moreBox}>
          <Icon icon={Ellipsis} size={14} />
        </span>
      </button>
    </div>
  );
}

function factsOf({ width, height, modified }: ShownPicture): string {
  const facts = [
    typeof width === "number" && typeof height === "number" ? resolution(width, height) : null,
    modified === undefined ? null : dateAndTime(modified),
  ];
  return facts.filter((each) => each !== null).join(", ");
}
