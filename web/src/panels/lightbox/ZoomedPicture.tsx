/** A picture as a view shows it: its small version until the whole one is there, square pixels when zoomed in far. */

import { useState } from "react";

import { viewUrl } from "@/api/client";
import type { ShownPicture } from "@/state/lightbox";
import { classes } from "@/ui/class_names";

import type { Box } from "./compare";
import { PIXELATED_FROM, type Size, type View } from "./zoom";
import styles from "./ZoomedPicture.module.css";

interface ZoomedPictureProps {
  readonly picture: ShownPicture;
  readonly view: View;
  /** Where it lies in what `view` is of. */
  readonly box: Box;
  readonly isFitted: boolean;
  readonly label: string;
  /** With the size that the browser found. */
  readonly onLoad?: (size: Size) => void;
  readonly onError?: () => void;
}

export function ZoomedPicture({ picture, view, box, isFitted, label, onLoad, onError }: ZoomedPictureProps) {
  const [isLoaded, setLoaded] = useState(false);
  const scale = (view.scale * box.width) / Math.max(1, picture.width ?? box.width);
  const isPixelated = !isFitted && scale > PIXELATED_FROM;
  const place = {
    width: box.width,
    height: box.height,
    transform: `translate(${view.x + box.x * view.scale}px, ${view.y + box.y * view.scale}px) scale(${view.scale})`,
  };
  const version = picture.modified ?? 0;
  return (
    <>
      {!isLoaded && (
        <img className={styles.small} style={place} src={viewUrl(picture, { size: 256, version })} alt="" />
      )}
      <img
        className={classes(styles.picture, isPixelated && styles.pixelated, isLoaded && styles.loaded)}
        style={place}
        src={viewUrl(picture, { version })}
        alt={label}
        draggable={false}
        decoding="async"
        onLoad={({ currentTarget: { naturalWidth: width, naturalHeight: height } }) => {
          setLoaded(true);
          onLoad?.({ width, height });
        }}
        onError={onError}
      />
    </>
  );
}
