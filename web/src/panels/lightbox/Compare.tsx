/** Two pictures, one over the other with a line to drag between them, or side by side; zoomed and moved together. */

import { ArrowLeftRight, Columns2, ImageOff, SquareSplitHorizontal } from "lucide-react";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";

import { closeCompare, pictureKey, type ShownPicture, swapCompared, useLightbox } from "@/state/lightbox";
import { t } from "@/texts/index";
import { EmptyState } from "@/ui/EmptyState";
import { IconButton } from "@/ui/IconButton";
import { Spinner } from "@/ui/Spinner";

import { placed, sharedSize, visibleSpan } from "./compare";
import styles from "./Compare.module.css";
import { CompareLine } from "./CompareLine";
import { FullWindow } from "./FullWindow";
import { isTooLarge } from "./picture_size";
import { useMeasured } from "./use_measured";
import { useZoom, type Zoom } from "./use_zoom";
import { inMegapixels, resolution } from "./words";
import type { Size } from "./zoom";
import { ZoomBar } from "./ZoomBar";
import { ZoomedPicture } from "./ZoomedPicture";

type Mode = "slider" | "beside";

export function Compare() {
  const compared = useLightbox((state) => state.compared);
  if (compared === null) return null;
  return <Compared one={compared[0]} other={compared[1]} />;
}

interface Two {
  readonly one: ShownPicture;
  readonly other: ShownPicture;
}

function Compared({ one, other }: Two) {
  const [mode, setMode] = useState<Mode>("slider");
  const [measuredOne, measuredOther] = [useMeasured(one), useMeasured(other)];
  const sizes =
    measuredOne.state === "known" && measuredOther.state === "known" ? [measuredOne.size, measuredOther.size] : null;
  const isMeasuring = measuredOne.state === "measuring" || measuredOther.state === "measuring";
  const [first, second] = sizes ?? [];
  const actions = (
    <>
      <IconButton
        icon={SquareSplitHorizontal}
        label={t("compare.slider")}
        isActive={mode === "slider"}
        onPress={() => setMode("slider")}
      />
      <IconButton
        icon={Columns2}
        label={t("compare.beside")}
        isActive={mode === "beside"}
        onPress={() => setMode("beside")}
      />
      <IconButton icon={ArrowLeftRight} label={t("compare.swap")} shortcut="KeyX" onPress={swapCompared} />
    </>
  );
  const detail = t("compare.names", { one: one.filename, other: other.filename });
  return (
    <FullWindow title={t("compare.title")} detail={detail} actions={actions} onClose={closeCompare}>
      {first !== undefined && second !== undefined ? (
        <Sized one={one} other={other} sizes={[first, second]} mode={mode} />
      ) : (
        <div className={styles.waiting}>
          {isMeasuring ? <Spinner size={24} /> : <EmptyState icon={ImageOff} title={t("lightbox.failed")} />}
        </div>
      )}
    </FullWindow>
  );
}

interface SizedProps extends Two {
  readonly sizes: readonly [Size, Size];
  readonly mode: Mode;
}

function Sized({ one, other, sizes, mode }: SizedProps) {
  const shared = sharedSize(...sizes);
  const [part, setPart] = useState(0.5);
  // The same pictures swapped keep their view, other pictures are fitted anew.
  const zoom = useZoom(shared, `${mode} ${[pictureKey(one), pictureKey(other)].toSorted().join(" ")}`, {
    panes: mode === "beside" ? 2 : 1,
  });
  const stage = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (mode === "beside") stage.current?.focus({ preventScroll: true });
  }, [mode]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "x" || event.key === "X") swapCompared();
    else if (!zoom.onKey(event)) return;
    event.preventDefault();
  };
  const huge = sizes.find((size) => isTooLarge(size));
  if (huge !== undefined) {
    const words = {
      size: resolution(huge.width, huge.height),
      megapixels: inMegapixels(huge.width * huge.height),
    };
    return (
      <div className={styles.waiting}>
        <EmptyState icon={ImageOff} title={t("lightbox.too_large")} text={t("compare.too_large_text", words)} />
      </div>
    );
  }
  const first = { picture: one, size: sizes[0], shared, zoom, mark: "A" };
  const second = { picture: other, size: sizes[1], shared, zoom, mark: "B" };
  const { frame, view, setFrame } = zoom;
  return (
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions -- shortcuts of what is inside
    <div ref={stage} className={styles.stage} tabIndex={-1} onKeyDown={onKeyDown}>
      {mode === "beside" ? (
        <div className={styles.beside} {...zoom.pointers}>
          <div ref={setFrame} key="beside" className={styles.frame}>
            <Layer {...first} />
          </div>
          <div className={styles.frame}>
            <Layer {...second} />
          </div>
        </div>
      ) : (
        <div ref={setFrame} key="slider" className={styles.frame} {...zoom.pointers}>
          <Layer {...second} isRight />
          {frame !== null && view !== null && (
            <CompareLine part={part} span={visibleSpan(view, shared, frame)} frame={frame} onChange={setPart}>
              <Layer {...first} />
            </CompareLine>
          )}
        </div>
      )}
      <div className={styles.zoom}>
        <ZoomBar zoom={zoom} />
      </div>
    </div>
  );
}

interface LayerProps {
  readonly picture: ShownPicture;
  readonly size: Size;
  readonly shared: Size;
  readonly zoom: Zoom;
  readonly mark: string;
  readonly isRight?: boolean;
}

function Layer({ picture, size, shared, zoom, mark, isRight = false }: LayerProps) {
  return (
    <>
      {zoom.view !== null && (
        <ZoomedPicture
          key={pictureKey(picture)}
          picture={{ ...picture, ...size }}
          view={zoom.view}
          box={placed(size, shared)}
          isFitted={zoom.isFitted}
          label={t("compare.picture", { mark, name: picture.filename })}
        />
      )}
      <span className={isRight ? styles.markRight : styles.mark}>
        <b>{mark}</b> {resolution(size.width, size.height)}
      </span>
    </>
  );
}
