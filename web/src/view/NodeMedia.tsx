/** What a node made or holds: pictures in a grid, texts, and the picture in the making while it draws. */

import { Brush } from "lucide-react";
import { memo } from "react";

import type { Node } from "@/graph/document";
import type { Strip } from "@/graph/geometry";
import { openPicture } from "@/state/lightbox";
import { maskTarget, openMaskEditor } from "@/state/mask_editing";
import { pictureNamed } from "@/state/picture_name";
import type { NodeRun, Picture } from "@/state/run";
import { activeTab } from "@/state/workbench";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { Icon } from "@/ui/Icon";

import { MediaPicture } from "./MediaPicture";
import styles from "./NodeMedia.module.css";

interface NodeMediaProps {
  readonly node: Node;
  readonly strip: Strip;
  readonly run: NodeRun;
}

/** More than these are counted, not shown. */
const MOST_SHOWN = 16;

export const NodeMedia = memo(function NodeMedia({ node, strip, run }: NodeMediaProps) {
  const made = run.output?.pictures ?? [];
  const pictures = made.length > 0 ? made : loadedBy(node);
  const texts = run.output?.texts ?? [];
  return (
    <div className={styles.media} style={{ top: strip.y, height: strip.height }}>
      {run.preview === null ? (
        <Pictures pictures={pictures} isAnimated={run.output?.isAnimated ?? false} />
      ) : (
        <img
          className={classes(styles.picture, styles.preview)}
          src={run.preview}
          alt={t("canvas.media.preview")}
          draggable={false}
        />
      )}
      {made.length === 0 && run.preview === null && <MaskButton node={node} />}
      {texts.length > 0 && (
        <div className={classes(styles.texts, "nodrag", "nopan", "nowheel")}>
          {texts.map((text, i) => (
            // oxlint-disable-next-line react/no-array-index-key -- texts have no other name
            <p key={i}>{text}</p>
          ))}
        </div>
      )}
    </div>
  );
});

/** On pictures that a node loads: the mask that goes with them is painted by hand. */
function MaskButton({ node }: { readonly node: Node }) {
  const tab = activeTab();
  const target = tab === null ? null : maskTarget(tab, node.id);
  if (target === null) return null;
  return (
    <button
      type="button"
      className={classes(styles.mask, "nodrag")}
      onClick={(event) => {
        event.stopPropagation();
        openMaskEditor(target);
      }}
    >
      <Icon icon={Brush} size={14} />
      {t("canvas.media.mask")}
    </button>
  );
}

function Pictures({ pictures, isAnimated }: { readonly pictures: readonly Picture[]; readonly isAnimated: boolean }) {
  if (pictures.length === 0) return null;
  const shown = pictures.slice(0, MOST_SHOWN);
  const columns = Math.ceil(Math.sqrt(shown.length));
  return (
    <div className={styles.grid} style={{ gridTemplateColumns: `repeat(${columns}, 1fr)` }}>
      {shown.map((picture, i) => (
        <button
          key={`${picture.type}/${picture.subfolder}/${picture.filename}`}
          type="button"
          className={classes(styles.tile, "nodrag")}
          aria-label={t("canvas.media.open", { name: picture.filename })}
          onClick={(event) => {
            event.stopPropagation();
            openPicture(pictures, i);
          }}
        >
          <MediaPicture picture={picture} isAnimated={isAnimated} />
          {i === shown.length - 1 && pictures.length > shown.length && (
            <span className={styles.more}>{t("canvas.media.more", { count: pictures.length - shown.length })}</span>
          )}
        </button>
      ))}
    </div>
  );
}

/** The picture that a loader has chosen. */
function loadedBy(node: Node): readonly Picture[] {
  const picture = pictureNamed(node.values["image"]);
  return picture === null ? [] : [picture];
}
