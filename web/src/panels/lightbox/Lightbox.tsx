/** Drawn pictures over the whole window, one at a time. */

import { ChevronLeft, ChevronRight, Columns2, Download, ImageDown, ImageOff, ImageUp, Workflow } from "lucide-react";
import { type KeyboardEvent, useEffect, useState } from "react";

import { viewUrl } from "@/api/client";
import {
  closeLightbox,
  comparePictures,
  nextPicture,
  pictureKey,
  previousPicture,
  type ShownPicture,
  useLightbox,
} from "@/state/lightbox";
import { t } from "@/texts/index";
import { Button } from "@/ui/Button";
import { EmptyState } from "@/ui/EmptyState";
import { IconButton } from "@/ui/IconButton";
import { Spinner } from "@/ui/Spinner";

import { FullWindow } from "./FullWindow";
import styles from "./Lightbox.module.css";
import { downloadPicture, loadAsInput, openWorkflowOf } from "./picture_actions";
import { isTooLarge } from "./picture_size";
import { type Measured, useMeasured } from "./use_measured";
import { useZoom, type Zoom } from "./use_zoom";
import { dateAndTime, inBytes, inMegapixels, resolution } from "./words";
import type { Size } from "./zoom";
import { ZoomBar } from "./ZoomBar";
import { ZoomedPicture } from "./ZoomedPicture";

export function Lightbox() {
  const shown = useLightbox((state) => state.shown);
  const picture = shown?.pictures[shown.index];
  if (shown === null || picture === undefined) return null;
  return <Shown picture={picture} index={shown.index} pictures={shown.pictures} />;
}

interface ShownProps {
  readonly picture: ShownPicture;
  readonly index: number;
  readonly pictures: readonly ShownPicture[];
}

function Shown({ picture, index, pictures }: ShownProps) {
  const key = pictureKey(picture);
  const measured = useMeasured(picture);
  const [decoded, setDecoded] = useState<{ key: string; size: Size } | null>(null);
  const [failed, setFailed] = useState("");
  // What the browser made of it counts more than its header: photographs may be turned.
  const size = decoded?.key === key ? decoded.size : measured.state === "known" ? measured.size : null;
  const isRefused = isTooLarge(size);
  const zoom = useZoom(isRefused ? null : size, key, { onSwipe: step });
  const { setFrame, view, pointers } = zoom;
  usePreloaded(pictures[index + 1]);
  usePreloaded(pictures[index - 1]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") step(event.key === "ArrowRight" ? 1 : -1);
    else if (!zoom.onKey(event)) return;
    event.preventDefault();
  };
  const other = pictures[index + 1] ?? pictures[index - 1];
  return (
    <FullWindow
      title={picture.filename}
      detail={<Facts picture={picture} size={size} index={index} count={pictures.length} />}
      actions={<Actions picture={picture} other={other} />}
      onClose={closeLightbox}
      onKeyDown={onKeyDown}
    >
      <div className={styles.stage}>
        <div
          ref={setFrame}
          className={styles.frame}
          data-can-drag={!zoom.isFitted}
          data-dragged={zoom.isDragged}
          {...pointers}
        >
          <Content
            key={key}
            picture={picture}
            measured={measured}
            size={size}
            isRefused={isRefused}
            hasFailed={failed === key}
            zoom={zoom}
            onSize={(found) => setDecoded({ key, size: found })}
            onError={() => setFailed(key)}
          />
        </div>
        {index > 0 && (
          <IconButton
            icon={ChevronLeft}
            label={t("lightbox.previous")}
            shortcut="ArrowLeft"
            className={styles.previous}
            onPress={previousPicture}
          />
        )}
        {index < pictures.length - 1 && (
          <IconButton
            icon={ChevronRight}
            label={t("lightbox.next")}
            shortcut="ArrowRight"
            className={styles.next}
            onPress={nextPicture}
          />
        )}
        {view !== null && (
          <div className={styles.zoom}>
            <ZoomBar zoom={zoom} />
          </div>
        )}
      </div>
    </FullWindow>
  );
}

interface ContentProps {
  readonly picture: ShownPicture;
  readonly measured: Measured;
  readonly size: Size | null;
  readonly isRefused: boolean;
  readonly hasFailed: boolean;
  readonly zoom: Zoom;
  readonly onSize: (size: Size) => void;
  readonly onError: () => void;
}

function Content({ picture, measured, size, isRefused, hasFailed, zoom, onSize, onError }: ContentProps) {
  if (hasFailed || measured.state === "missing") {
    return <EmptyState icon={ImageOff} title={t("lightbox.failed")} text={t("lightbox.failed_text")} />;
  }
  if (isRefused && size !== null) return <TooLarge picture={picture} size={size} />;
  if (measured.state === "measuring") return <Spinner size={24} />;
  if (size === null || zoom.view === null) return <Prober picture={picture} onSize={onSize} onError={onError} />;
  const box = { x: 0, y: 0, ...size };
  const label = t("lightbox.picture", { name: picture.filename });
  const { view, isFitted } = zoom;
  const shown = { picture, view, box, isFitted, label, onError };
  return <ZoomedPicture {...shown} onLoad={(found) => !isSame(found, size) && onSize(found)} />;
}

/** A picture whose file does not tell its size at the beginning is decoded to know it. */
function Prober({ picture, onSize, onError }: Pick<ContentProps, "picture" | "onSize" | "onError">) {
  return (
    <>
      <Spinner size={24} />
      <img
        className={styles.probe}
        src={viewUrl(picture)}
        alt=""
        onLoad={({ currentTarget: { naturalWidth: width, naturalHeight: height } }) => onSize({ width, height })}
        onError={onError}
      />
    </>
  );
}

function TooLarge({ picture, size }: { readonly picture: ShownPicture; readonly size: Size }) {
  const [hasSmall, setHasSmall] = useState(true);
  const words = { size: resolution(size.width, size.height), megapixels: inMegapixels(size.width * size.height) };
  return (
    <div className={styles.refused}>
      {hasSmall && (
        <img
          className={styles.small}
          src={viewUrl(picture, { size: 512 })}
          alt={t("lightbox.picture", { name: picture.filename })}
          onError={() => setHasSmall(false)}
        />
      )}
      <EmptyState
        icon={ImageDown}
        title={t("lightbox.too_large")}
        text={t("lightbox.too_large_text", words)}
        action={
          <Button icon={Download} variant="primary" onPress={() => downloadPicture(picture)}>
            {t("picture.download")}
          </Button>
        }
      />
    </div>
  );
}

function Actions({ picture, other }: { readonly picture: ShownPicture; readonly other: ShownPicture | undefined }) {
  const open = async () => {
    if (await openWorkflowOf(picture)) closeLightbox();
  };
  const load = () => {
    loadAsInput(picture);
    closeLightbox();
  };
  return (
    <>
      <Button icon={Workflow} onPress={() => void open()}>
        {t("picture.open_workflow")}
      </Button>
      <IconButton icon={ImageUp} label={t("picture.use_as_input")} onPress={load} />
      <IconButton
        icon={Columns2}
        label={t("lightbox.compare")}
        isDisabled={other === undefined}
        onPress={() => other !== undefined && comparePictures(picture, other)}
      />
      <IconButton icon={Download} label={t("picture.download")} onPress={() => downloadPicture(picture)} />
    </>
  );
}

interface FactsProps {
  readonly picture: ShownPicture;
  readonly size: Size | null;
  readonly index: number;
  readonly count: number;
}

function Facts({ picture, size, index, count }: FactsProps) {
  const facts = [
    count > 1 ? t("lightbox.place", { index: index + 1, count }) : null,
    size === null ? null : resolution(size.width, size.height),
    picture.size === undefined ? null : inBytes(picture.size),
    picture.modified === undefined ? null : dateAndTime(picture.modified),
  ];
  return <span aria-live="polite">{facts.filter((each) => each !== null).join(" · ")}</span>;
}

/** The neighbours are fetched beforehand, as long as they are not huge. */
function usePreloaded(picture: ShownPicture | undefined): void {
  const pixels = (picture?.width ?? 0) * (picture?.height ?? 0);
  const address =
    picture === undefined || pixels === 0 || pixels > 20e6
      ? null
      : viewUrl(picture, { version: picture.modified ?? 0 });
  useEffect(() => {
    if (address !== null) new Image().src = address;
  }, [address]);
}

function isSame(one: Size, other: Size): boolean {
  return one.width === other.width && one.height === other.height;
}

function step(by: 1 | -1): void {
  if (by > 0) nextPicture();
  else previousPicture();
}
