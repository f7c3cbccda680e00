/** A list to choose from, with a search above it. Of thousands of rows only those in sight are in the page. */

import { Check, Search } from "lucide-react";
import { type KeyboardEvent, useId, useMemo, useRef, useState } from "react";

import { sameValue, type Value } from "@/graph/value";
import { t } from "@/texts/index";
import { classes } from "@/ui/class_names";
import { Icon } from "@/ui/Icon";

import styles from "./Choice.module.css";
import { type ChoiceRow, type ListRow, rowsOf } from "./choices";

interface ChoiceListProps {
  readonly label: string;
  readonly choices: readonly Value[];
  readonly chosen: readonly Value[];
  readonly onChoose: (value: Value) => void;
  /** Whether a text that is not among the choices may be taken as it is; null: it may not. */
  readonly mayTake: (text: string) => boolean;
  readonly width: number;
}

/** Rows drawn beyond what is in sight, so that fast scrolling shows no gaps. */
const SPARE_ROWS = 8;

export function ChoiceList({ label, choices, chosen, onChoose, mayTake, width }: ChoiceListProps) {
  const [query, setQuery] = useState("");
  const [scroll, setScroll] = useState<{ readonly top: number; readonly height: number }>({ top: 0, height: 400 });
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const rows = useMemo(() => rowsOf(choices, chosen, query), [choices, chosen, query]);
  const [active, setActive] = useState(() => firstOf(rows, chosen));
  const rowHeight = useMemo(() => 1.75 * parseFloat(getComputedStyle(document.documentElement).fontSize), []);

  const show = (place: number): void => {
    setActive(place);
    if (list.current !== null) scrollTo(list.current, place * rowHeight, rowHeight);
  };
  const take = (): void => {
    const row = rows[active];
    if (row?.kind === "choice") onChoose(row.value);
    else if (query.trim() !== "" && mayTake(query.trim())) onChoose(query.trim());
  };
  const press = (event: KeyboardEvent): void => {
    const to = placeAfter(event.key, active, rows, Math.max(1, Math.floor(scroll.height / rowHeight) - 1));
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") take();
    else if (to === null) return;
    else show(to);
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className={styles.panel} style={{ ["--anchor-width" as string]: `${width}px` }}>
      <SearchBox
        label={label}
        list={id}
        option={rows[active] === undefined ? null : `${id}-${active}`}
        query={query}
        onQuery={(text) => {
          setQuery(text);
          setActive(0);
          if (list.current !== null) list.current.scrollTop = 0;
        }}
        onKeyDown={press}
      />
      <div
        ref={(element) => {
          const isNew = list.current === null && element !== null;
          list.current = element;
          if (isNew) element.scrollTop = Math.max(0, (active - 4) * rowHeight);
        }}
        id={id}
        role="listbox"
        aria-label={label}
        tabIndex={-1}
        className={styles.list}
        onScroll={({ currentTarget }) =>
          setScroll({ top: currentTarget.scrollTop, height: currentTarget.clientHeight })
        }
      >
        <Rows
          id={id}
          rows={rows}
          rowHeight={rowHeight}
          {...scroll}
          active={active}
          chosen={chosen}
          onPoint={setActive}
          onChoose={onChoose}
        />
        {rows.length === 0 && <p className={styles.none}>{emptyText(query, choices.length, mayTake)}</p>}
      </div>
    </div>
  );
}

interface SearchBoxProps {
  readonly label: string;
  /** The ids of the list, and of the row that Enter takes. */
  readonly list: string;
  readonly option: string | null;
  readonly query: string;
  readonly onQuery: (text: string) => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

function SearchBox({ label, list, option, query, onQuery, onKeyDown }: SearchBoxProps) {
  return (
    <label className={styles.search}>
      <Icon icon={Search} />
      <input
        ref={takeFocus}
        role="combobox"
        aria-label={t("widget.search_choices", { label })}
        aria-expanded
        aria-autocomplete="list"
        aria-controls={list}
        {...(option === null ? {} : { "aria-activedescendant": option })}
        placeholder={t("widget.search")}
        value={query}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onQuery(event.target.value)}
        onKeyDown={onKeyDown}
      />
    </label>
  );
}

/** Brings a row into sight, with a little of its neighbours. */
function scrollTo(list: HTMLElement, top: number, rowHeight: number): void {
  if (top < list.scrollTop) list.scrollTop = Math.max(0, top - rowHeight);
  else if (top + rowHeight * 1.5 > list.scrollTop + list.clientHeight) {
    list.scrollTop = top + rowHeight * 1.5 - list.clientHeight;
  }
}

function takeFocus(field: HTMLInputElement | null): void {
  field?.focus({ preventScroll: true });
}

interface RowsProps extends Pick<ListItemProps, "id" | "onPoint" | "onChoose"> {
  readonly rows: readonly ListRow[];
  readonly rowHeight: number;
  /** What is in sight, in pixels. */
  readonly top: number;
  readonly height: number;
  readonly active: number;
  readonly chosen: readonly Value[];
}

/** The rows that are in sight, at their places. */
function Rows({ id, rows, rowHeight, top, height, active, chosen, onPoint, onChoose }: RowsProps) {
  const first = Math.max(0, Math.floor(top / rowHeight) - SPARE_ROWS);
  const last = Math.min(rows.length, Math.ceil((top + height) / rowHeight) + SPARE_ROWS);
  return (
    <div className={styles.rows} role="presentation" style={{ height: rows.length * rowHeight }}>
      {rows.slice(first, last).map((row, i) => (
        <ListItem
          key={first + i}
          id={`${id}-${first + i}`}
          row={row}
          place={first + i}
          count={rows.length}
          top={(first + i) * rowHeight}
          isActive={first + i === active}
          isChosen={row.kind === "choice" && chosen.some((each) => sameValue(each, row.value))}
          onPoint={onPoint}
          onChoose={onChoose}
        />
      ))}
    </div>
  );
}

interface ListItemProps {
  readonly id: string;
  readonly row: ListRow;
  readonly place: number;
  readonly count: number;
  readonly top: number;
  readonly isActive: boolean;
  readonly isChosen: boolean;
  readonly onPoint: (place: number) => void;
  readonly onChoose: (value: Value) => void;
}

function ListItem({ id, row, place, count, top, isActive, isChosen, onPoint, onChoose }: ListItemProps) {
  if (row.kind === "folder") {
    return (
      <div role="presentation" className={classes(styles.row, styles.folder)} style={{ top }}>
        {row.label}
      </div>
    );
  }
  return (
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events -- the search field has the keys
    <div
      id={id}
      role="option"
      tabIndex={-1}
      aria-selected={isChosen}
      aria-setsize={count}
      aria-posinset={place + 1}
      title={row.label}
      className={classes(styles.row, isActive && styles.active)}
      style={{ top }}
      onPointerMove={() => onPoint(place)}
      onPointerDown={(event) => event.preventDefault()}
      onClick={() => onChoose(row.value)}
    >
      <span className={styles.check}>{isChosen && <Icon icon={Check} />}</span>
      <span className={styles.name}>{highlighted(row)}</span>
      {row.isMissing && <span className={styles.missing}>{t("widget.missing_choice")}</span>}
    </div>
  );
}

function highlighted({ label, matches }: ChoiceRow) {
  if (matches.size === 0) return label;
  // Letters of a label never change their places: the place is the key.
  return [...label].map((letter, i) => (matches.has(i) ? <b key={`${i}`}>{letter}</b> : letter));
}

function firstOf(rows: readonly ListRow[], chosen: readonly Value[]): number {
  const [value] = chosen;
  const place = rows.findIndex((row) => row.kind === "choice" && value !== undefined && sameValue(row.value, value));
  return place >= 0 ? place : rows.findIndex((row) => row.kind === "choice");
}

/** The place that a key leads to, over folders; null for keys that lead nowhere. */
function placeAfter(key: string, active: number, rows: readonly ListRow[], page: number): number | null {
  const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
  const step = steps[key];
  if (step === undefined || rows.length === 0) return null;
  const direction = Math.sign(step);
  let place = Math.min(rows.length - 1, Math.max(0, active + step));
  while (rows[place]?.kind === "folder") place += direction;
  return rows[place] === undefined ? active : place;
}

function emptyText(query: string, choices: number, mayTake: (text: string) => boolean): string {
  if (query.trim() !== "" && mayTake(query.trim())) return t("widget.take_text", { text: query.trim() });
  return t(choices === 0 ? "widget.no_choices" : "widget.no_match");
}
