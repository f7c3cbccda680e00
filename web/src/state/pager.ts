/** A list that the server has, the newest first: page by page, fresh whenever a job ends and somebody has asked for it. */

import { create } from "zustand";

import { asFailure } from "@/api/failure";

import { useRun } from "./run";
import { sentenceOf } from "./run_problems";

interface Paged<T> {
  readonly items: readonly T[];
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  /** Why the last page could not be had, in words. */
  readonly error: string | null;
}

interface Page<T> {
  readonly items: readonly T[];
  /** Where the page after it begins, as the list names it; null: it is the last one. */
  readonly next: string | null;
}

interface PagedList<T> {
  /** The first page; with `next` the one that begins there, behind so many that are known. */
  readonly ask: (next: string | null, known: number) => Promise<Page<T>>;
  readonly keyOf: (item: T) => string;
  /** The newest first. */
  readonly compare: (one: T, other: T) => number;
}

export class Pager<T> {
  readonly store = create<Paged<T>>()(() => ({ items: [], hasMore: true, isLoading: false, error: null }));
  /** Where the page after the last one begins; null: there is none, or none was asked for. */
  private next: string | null = null;
  private isWatched = false;
  /** Something changed while a page was on its way. */
  private isStale = false;

  constructor(private readonly list: PagedList<T>) {
    useRun.subscribe((state, before) => {
      if (this.isWatched && state.ended !== before.ended) void this.refresh();
    });
  }

  /** Asks for the page after the last one. */
  loadMore = async (): Promise<void> => {
    const { isLoading, hasMore } = this.store.getState();
    if (!isLoading && hasMore) await this.load(this.next);
  };

  /** Puts what is new in front. */
  refresh = async (): Promise<void> => {
    if (this.store.getState().isLoading) this.isStale = true;
    else await this.load(null);
  };

  /** Takes out what is gone. */
  remove(isGone: (item: T) => boolean): void {
    this.store.setState(({ items }) => ({ items: items.filter((each) => !isGone(each)) }));
  }

  private async load(next: string | null): Promise<void> {
    this.isWatched = true;
    this.store.setState({ isLoading: true });
    try {
      const page = await this.list.ask(next, this.store.getState().items.length);
      if (next === null) this.putInFront(page);
      else this.show(this.joined(this.store.getState().items, page.items), page.next);
      this.store.setState({ isLoading: false, error: null });
    } catch (error) {
      this.store.setState({ isLoading: false, error: sentenceOf(asFailure(error)) });
    }
    if (!this.isStale) return;
    this.isStale = false;
    await this.load(null);
  }

  /** The first page. Where it does not reach what is there, more is new than a page has, and all begins anew. */
  private putInFront(page: Page<T>): void {
    const { items } = this.store.getState();
    const known = new Set(items.map(this.list.keyOf));
    const reaches = page.items.some((each) => known.has(this.list.keyOf(each)));
    if (reaches && page.next !== null) this.show(this.joined(page.items, items), this.next);
    else this.show(page.items, page.next);
  }

  private show(items: readonly T[], next: string | null): void {
    this.next = next;
    this.store.setState({ items, hasMore: next !== null });
  }

  /** Both without doubles; of two words about the same item the first counts. */
  private joined(first: readonly T[], second: readonly T[]): T[] {
    const byKey = new Map([...second, ...first].map((each) => [this.list.keyOf(each), each]));
    return [...byKey.values()].toSorted(this.list.compare);
  }
}
