/**
 * The gallery as rows of one height each, so that of 20,000 pictures only those in sight are in the page: days as
 * headings, below each its pictures in columns. No DOM.
 */

export interface DayRow {
  readonly kind: "day";
  /** The picture that begins the day. */
  readonly first: number;
  readonly count: number;
  readonly top: number;
  readonly height: number;
}

export interface PicturesRow {
  readonly kind: "pictures";
  /** Pictures from `first` up to, not with, `end`. */
  readonly first: number;
  readonly end: number;
  readonly top: number;
  readonly height: number;
}

export type Row = DayRow | PicturesRow;

interface Measures {
  readonly columns: number;
  readonly rowHeight: number;
  readonly dayHeight: number;
}

/** How many columns of at least `smallest` fit, and how wide they become. */
export function columnsIn(width: number, smallest: number, gap: number): { columns: number; size: number } {
  const columns = Math.max(2, Math.floor((width + gap) / (smallest + gap)));
  return { columns, size: Math.max(1, (width - gap * (columns - 1)) / columns) };
}

/** `days[i]` is the day of picture i; equal neighbours are one day. */
export function rowsOf(days: readonly number[], measures: Measures): Row[] {
  const rows: Row[] = [];
  let top = 0;
  for (let first = 0; first < days.length;) {
    let end = first + 1;
    while (end < days.length && days[end] === days[first]) end += 1;
    rows.push({ kind: "day", first, count: end - first, top, height: measures.dayHeight });
    top += measures.dayHeight;
    for (let at = first; at < end; at += measures.columns) {
      rows.push({
        kind: "pictures",
        first: at,
        end: Math.min(end, at + measures.columns),
        top,
        height: measures.rowHeight,
      });
      top += measures.rowHeight;
    }
    first = end;
  }
  return rows;
}

export function heightOf(rows: readonly Row[]): number {
  const last = rows.at(-1);
  return last === undefined ? 0 : last.top + last.height;
}

/** The rows that touch what lies between `top` and `bottom`. */
export function rowsBetween(rows: readonly Row[], top: number, bottom: number): readonly Row[] {
  const from = firstWhere(rows.length, (i) => endOf(rows[i]) > top);
  const to = firstWhere(rows.length, (i) => (rows[i]?.top ?? 0) >= bottom);
  return rows.slice(from, to);
}

/** The row that a picture is in; null when there is none such. */
export function rowOf(rows: readonly Row[], picture: number): PicturesRow | null {
  const at = firstWhere(rows.length, (i) => lastIn(rows[i]) >= picture);
  const row = rows[at];
  return row !== undefined && row.kind === "pictures" && row.first <= picture ? row : null;
}

/** Where an arrow key, Home or End leads from a picture; the same picture when there is nothing that way. */
export function neighbour(rows: readonly Row[], picture: number, key: string, count: number): number {
  const steps: Readonly<Record<string, number>> = {
    ArrowLeft: picture - 1,
    ArrowRight: picture + 1,
    Home: 0,
    End: count - 1,
  };
  const step = steps[key];
  if (step !== undefined) return Math.min(Math.max(0, count - 1), Math.max(0, step));
  const lines = rows.filter((each) => each.kind === "pictures");
  const at = lines.findIndex((each) => each.first <= picture && picture < each.end);
  const here = lines[at];
  const there = lines[at + (key === "ArrowUp" ? -1 : 1)];
  if (here === undefined || there === undefined) return picture;
  return Math.min(there.end - 1, there.first + picture - here.first);
}

/** How far to scroll so that a row is in sight; the same when it is. */
export function scrollTo(row: Row, top: number, height: number): number {
  if (row.top < top) return row.top;
  return Math.max(top, row.top + row.height - height);
}

/** Chooses up to two, the newest choice last; choosing again takes it out. */
export function chosenWith<T>(chosen: readonly T[], picture: T): readonly T[] {
  if (chosen.includes(picture)) return chosen.filter((each) => each !== picture);
  return [...chosen, picture].slice(-2);
}

function endOf(row: Row | undefined): number {
  return row === undefined ? 0 : row.top + row.height;
}

/** A heading counts as just before its first picture. */
function lastIn(row: Row | undefined): number {
  if (row === undefined) return -1;
  return row.kind === "day" ? row.first - 1 : row.end - 1;
}

/** The first number below `count` of which `is` holds, when it holds of all that follow; `count` without one. */
function firstWhere(count: number, is: (at: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const at = (low + high) >> 1;
    if (is(at)) high = at;
    else low = at + 1;
  }
  return low;
}
