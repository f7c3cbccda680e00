/**
 * The gallery's rows. Only those in sight (and the one with the focus) are in the page, at places that `rows.ts`
 * computes, so that 20,000 pictures scroll like twenty.
 */

import { type KeyboardEvent, type MouseEvent, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";

import { pictureKey, type ShownPicture } from "@/state/lightbox";
import { plural, t } from "@/texts/index";

import { useFrame } from "@/panels/lightbox/use_zoom";
import type { Size } from "@/panels/lightbox/zoom";
import { dayInWords, localDay } from "@/panels/lightbox/words";
import styles from "./Gallery.module.css";
import { choose } from "./gallery_view";
import { GalleryPicture } from "./GalleryPicture";
import {
  columnsIn,
  type DayRow,
  heightOf,
  neighbour,
  type PicturesRow,
  type Row,
  rowOf,
  rowsBetween,
  rowsOf,
  scrollTo,
} from "./rows";

/** A picture's menu, and where in the window. */
export interface PictureMenu {
  readonly picture: ShownPicture;
  readonly x: number;
  readonly y: number;
}

interface GalleryGridProps {
  readonly pictures: readonly ShownPicture[];
  readonly smallest: number;
  readonly chosen: readonly string[];
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  readonly onNearEnd: () => void;
  readonly onMenu: (menu: PictureMenu) => void;
}

const GAP = 8;
const DAY_HEIGHT = 40;
/** How much beyond the edges is drawn, in pixels, and how much further what comes next is asked for. */
const MARGIN = 400;
const AHEAD = 1600;
/** Scrolling by less draws nothing anew. */
const STRIDE = 128;

export function GalleryGrid(props: GalleryGridProps) {
  const { pictures, smallest, hasMore, isLoading, onNearEnd, onMenu } = props;
  const [scroller, setScroller] = useState<HTMLDivElement | null>(null);
  const frame = useFrame(scroller);
  const [top, setTop] = useState(0);
  const { rows, columns, size } = useRows(pictures, frame, smallest);
  useAnchor(scroller, rows, pictures);

  const height = frame?.height ?? 0;
  const total = heightOf(rows);
  const isNearEnd = frame !== null && total - top - height < AHEAD;
  useEffect(() => {
    if (isNearEnd && hasMore && !isLoading) onNearEnd();
  }, [isNearEnd, hasMore, isLoading, onNearEnd]);

  const [place, setCurrent] = usePlace(pictures);
  const focusedRow = rowOf(rows, place);
  const seen = rowsBetween(rows, top - MARGIN, top + height + MARGIN);
  const drawn = focusedRow === null || seen.includes(focusedRow) ? seen : [...seen, focusedRow];

  const onKeyDown = useKeys(pictures, rows, scroller, setCurrent);
  const onContextMenu = (event: MouseEvent<HTMLDivElement>) => {
    const picture = pictures[indexOf(event.target) ?? -1];
    if (picture === undefined || !(event.target instanceof Element)) return;
    event.preventDefault();
    onMenu({ picture, ...placeOfMenu(event, event.target) });
  };

  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- keys and menu of the buttons inside
    <div
      ref={setScroller}
      className={styles.scroller}
      role="group"
      aria-label={t("gallery.pictures")}
      onScroll={(event) => setTop(Math.floor(event.currentTarget.scrollTop / STRIDE) * STRIDE)}
      onKeyDown={onKeyDown}
      onContextMenu={onContextMenu}
      onFocus={(event) => {
        const picture = pictures[indexOf(event.target) ?? -1];
        if (picture !== undefined) setCurrent(pictureKey(picture));
      }}
    >
      <div className={styles.rows} style={{ height: total }}>
        <Rows {...props} rows={drawn} size={size} columns={columns} current={place} />
      </div>
    </div>
  );
}

interface RowsProps extends Pick<GalleryGridProps, "pictures" | "chosen" | "hasMore" | "onMenu"> {
  readonly rows: readonly Row[];
  readonly size: number;
  readonly columns: number;
  /** The place of the picture that Tab leads to. */
  readonly current: number;
}

function Rows({ rows, hasMore, ...shared }: RowsProps) {
  const [today] = useState(() => localDay(Date.now()));
  const { pictures } = shared;
  return rows.map((row) =>
    row.kind === "day" ? (
      <Day
        key={`day ${row.first}`}
        row={row}
        name={dayInWords(localDay(pictures[row.first]?.modified ?? 0), today)}
        // Of the last day there may be more than was asked for yet.
        isWhole={!hasMore || row.first + row.count < pictures.length}
      />
    ) : (
      <Pictures key={`row ${row.first}`} row={row} {...shared} />
    ),
  );
}

interface DayProps {
  readonly row: DayRow;
  readonly name: string;
  /** Whether all its pictures are known. */
  readonly isWhole: boolean;
}

function Day({ row, name, isWhole }: DayProps) {
  return (
    <h3 className={styles.day} style={{ transform: `translateY(${row.top}px)` }}>
      {name}
      {isWhole && <span className={styles.dayCount}>{plural("gallery.count", row.count)}</span>}
    </h3>
  );
}

interface PicturesProps extends Omit<RowsProps, "rows" | "hasMore"> {
  readonly row: PicturesRow;
}

function Pictures({ row, size, columns, pictures, current, chosen, onMenu }: PicturesProps) {
  const gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  return (
    <div className={styles.row} style={{ transform: `translateY(${row.top}px)`, height: size, gridTemplateColumns }}>
      {pictures.slice(row.first, row.end).map((picture, i) => (
        <GalleryPicture
          key={pictureKey(picture)}
          picture={picture}
          index={row.first + i}
          isCurrent={row.first + i === current}
          isChosen={chosen.includes(pictureKey(picture))}
          onMenu={onMenu}
        />
      ))}
    </div>
  );
}

/** Where the pointer is; from the keyboard the menu has no place of its own. */
function placeOfMenu({ clientX, clientY }: MouseEvent, element: Element): { readonly x: number; readonly y: number } {
  if (clientX !== 0 || clientY !== 0) return { x: clientX, y: clientY };
  const box = element.getBoundingClientRect();
  return { x: box.left + 12, y: box.bottom - 12 };
}

const WAYS: readonly string[] = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];

/** Arrows go from picture to picture, Space chooses. */
function useKeys(
  pictures: readonly ShownPicture[],
  rows: readonly Row[],
  scroller: HTMLElement | null,
  setCurrent: (key: string) => void,
) {
  const goTo = (index: number): void => {
    const picture = pictures[index];
    const row = rowOf(rows, index);
    if (picture === undefined || row === null || scroller === null) return;
    setCurrent(pictureKey(picture));
    scroller.scrollTo({ top: scrollTo(row, scroller.scrollTop, scroller.clientHeight) });
    requestAnimationFrame(() => scroller.querySelector<HTMLElement>(`[data-index="${index}"]`)?.focus());
  };
  return (event: KeyboardEvent<HTMLDivElement>): void => {
    const index = indexOf(event.target);
    const picture = index === null ? undefined : pictures[index];
    if (index === null || picture === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") choose(picture);
    else if (WAYS.includes(event.key)) goTo(neighbour(rows, index, event.key, pictures.length));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
}

/** The rows of all pictures, as wide as there is room. */
function useRows(pictures: readonly ShownPicture[], frame: Size | null, smallest: number) {
  const { columns, size } = columnsIn((frame?.width ?? 320) - 2 * 12, smallest, GAP);
  const rows = useMemo(() => {
    const days = pictures.map((each) => localDay(each.modified ?? 0));
    return rowsOf(days, { columns, rowHeight: size + GAP, dayHeight: DAY_HEIGHT });
  }, [pictures, columns, size]);
  return { rows, columns, size };
}

/** The picture that Tab leads to, by its place; the first where it is gone. */
function usePlace(pictures: readonly ShownPicture[]): readonly [number, (key: string) => void] {
  const [current, setCurrent] = useState<string | null>(null);
  const place = useMemo(() => {
    if (current === null) return 0;
    const found = pictures.findIndex((each) => pictureKey(each) === current);
    return Math.max(0, found);
  }, [pictures, current]);
  return [place, setCurrent];
}

/** What one looks at stays where it is when new pictures come in front. */
function useAnchor(scroller: HTMLElement | null, rows: readonly Row[], pictures: readonly ShownPicture[]): void {
  const before = useRef<{ key: string; offset: number } | null>(null);
  useLayoutEffect(() => {
    if (scroller === null) return undefined;
    const anchor = before.current;
    if (anchor !== null && scroller.scrollTop > 0) {
      const row = rowOf(
        rows,
        pictures.findIndex((each) => pictureKey(each) === anchor.key),
      );
      if (row !== null) scroller.scrollTo({ top: row.top - anchor.offset });
    }
    const remember = () => {
      const [row] = rowsBetween(rows, scroller.scrollTop, scroller.scrollTop + 1);
      const picture = row === undefined ? undefined : pictures[row.first];
      if (row === undefined || picture === undefined) return;
      const top = rowOf(rows, row.first)?.top ?? row.top;
      before.current = { key: pictureKey(picture), offset: top - scroller.scrollTop };
    };
    remember();
    scroller.addEventListener("scroll", remember, { passive: true });
    return () => scroller.removeEventListener("scroll", remember);
  }, [scroller, rows, pictures]);
}

function indexOf(target: EventTarget): number | null {
  const element = target instanceof Element ? target.closest("[data-index]") : null;
  return element instanceof HTMLElement ? Number(element.dataset["index"]) : null;
}
