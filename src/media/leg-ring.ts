import { PAGE, PAGE_WORDS, threadRings, wordOf } from './ring-store.ts';

/** 65.5 s. A sender further ahead of the clock, or a disk away for longer, costs audio. */
export const LONGEST = 512 * 1024;

/** In place of a page where nobody wrote anything. */
const NONE = -1;

/**
 * The octets of one leg between the oldest sample that may still change and the newest that arrived, by position. What nobody
 * wrote reads as silence.
 *
 *     position   base       first       written to file        top
 *        ───────┬┴───────────┬──────────────┬─────────────────────┬──────
 *        final  │  silence   │  in the window, or not yet on disk  │ silence
 *     pages                 ┆0      ┆1      ┆2      ┆3      ┆4      ┆
 *
 * There are pages for `[first, top)`, what somebody wrote and what lies between, and of these none where a whole page is silent: a leg has the memory
 * that its audio needs at the moment, which is little behind each write. The first page begins with the first audio, so that packets as a rule
 * begin with a word.
 */
export class LegRing {
  readonly #silence: number;
  readonly #limit: number;
  /** Numbers of pages, or `NONE`. */
  #pages: number[] = [];
  /** Position of the first octet of the first page. */
  #start: number;
  #base: number;
  /** First position in memory; `top` while there is none. */
  #first: number;
  #top: number;

  /** `base`: first position kept; everything before it is silence already. `limit`: positions it spans at most. */
  constructor(silence: number, base: number, limit = LONGEST) {
    this.#silence = silence;
    this.#limit = Math.min(limit, LONGEST);
    this.#base = this.#start = this.#first = this.#top = base;
  }

  get base(): number {
    return this.#base;
  }

  /** First position behind all audio. */
  get top(): number {
    return this.#top;
  }

  /** Octets of memory it has. */
  get capacity(): number {
    return this.#pages.filter((page) => page !== NONE).length * PAGE;
  }

  /** Whether positions before `end` can be written; false when that is more than a leg may hold. Memory comes with what is written. */
  reaches(end: number): boolean {
    return end - this.#base <= this.#limit;
  }

  /** Copies `source[start..end)` to `position`; the caller knows that the ring reaches so far, and stays at or after `base`. */
  put(position: number, source: Buffer, start: number, end: number): void {
    this.#reach(position, position + end - start);
    this.#each(position, position + end - start, (index, within, length, at) => {
      const page = this.#pageAt(index);
      const from = start + at - position;
      source.copy(threadRings.blockOf(page).octets, wordOf(page) * 4 + within, from, from + length);
    });
  }

  /**
   * As `put`, word by word, which is quicker for a packet; the source in words, `start` and `end` in octets. False, and nothing done, where
   * these, or the place in the ring, are not at the edge of a word.
   */
  putWords(position: number, source: Int32Array, start: number, end: number): boolean {
    const begun = this.#pages.length === 0 ? position : this.#start;
    if ((((position - begun) | start | end) & 3) !== 0) return false;
    this.#reach(position, position + end - start);
    const last = end >> 2;
    let word = (position - this.#start) >> 2;
    for (let from = start >> 2; from < last;) {
      const page = this.#pageAt((word / PAGE_WORDS) | 0);
      const { words } = threadRings.blockOf(page);
      const within = word & (PAGE_WORDS - 1);
      const until = Math.min(last, from + PAGE_WORDS - within);
      word += until - from;
      for (let to = wordOf(page) + within; from < until; from++, to++) words[to] = source[from] ?? 0;
    }
    return true;
  }

  /** Copies `[from, to)` to `target` at `at`; the span begins at or after `base`. */
  read(from: number, to: number, target: Buffer, at: number): void {
    if (to <= from) return;
    const first = Math.max(from, Math.min(to, this.#first));
    const end = Math.max(first, Math.min(to, this.#top));
    const silence = this.#silence;
    if (first > from) target.fill(silence, at, at + first - from);
    if (end < to) target.fill(silence, at + end - from, at + to - from);
    this.#each(first, end, (index, within, length, position) => {
      const page = this.#pages[index] ?? NONE;
      const place = at + position - from;
      const begin = wordOf(page) * 4 + within;
      if (page === NONE) target.fill(silence, place, place + length);
      else threadRings.blockOf(page).octets.copy(target, place, begin, begin + length);
    });
  }

  /** Moves what is in `[from, to)` by so many positions; the caller knows that the ring reaches so far. What is left behind is silence. */
  move(from: number, to: number, by: number): void {
    const octets = Buffer.alloc(to - from);
    this.read(from, to, octets, 0);
    this.put(from, Buffer.alloc(to - from, this.#silence), 0, to - from);
    this.put(from + by, octets, 0, octets.length);
  }

  /** Gives up everything before `position`: its memory serves others. */
  release(position: number): void {
    if (position <= this.#base) return;
    this.#base = position;
    this.#first = Math.max(this.#first, position);
    this.#top = Math.max(this.#top, position);
    if (this.#first === this.#top) this.#giveBack(this.#pages.length);
    else this.#giveBack(((this.#first - this.#start) / PAGE) | 0);
  }

  /** Gives up everything, the memory too; the ring may be used again. */
  clear(): void {
    this.#base = this.#first = this.#top;
    this.#giveBack(this.#pages.length);
  }

  #giveBack(count: number): void {
    if (count === 0) return;
    for (let index = 0; index < count; index++) {
      const page = this.#pages[index] ?? NONE;
      if (page !== NONE) threadRings.giveBack(page);
    }
    this.#pages.splice(0, count);
    this.#start += count * PAGE;
  }

  /** Makes `[from, to)` part of what is held; silence fills what audio jumps over. */
  #reach(from: number, to: number): void {
    if (from === this.#top && this.#pages.length > 0) {
      this.#extend(to);
      this.#top = to;
      return;
    }
    if (this.#first === this.#top) {
      this.#giveBack(this.#pages.length);
      this.#start = this.#first = this.#top = from;
    }
    for (; from < this.#start; this.#start -= PAGE) this.#pages.unshift(NONE);
    this.#extend(to);
    if (from > this.#top) this.#silenceBetween(this.#top, from);
    if (to < this.#first) this.#silenceBetween(to, this.#first);
    this.#first = Math.min(this.#first, from);
    this.#top = Math.max(this.#top, to);
  }

  #extend(to: number): void {
    while (this.#start + this.#pages.length * PAGE < to) this.#pages.push(NONE);
  }

  /** In pages that are there; those that are not are silent. */
  #silenceBetween(from: number, to: number): void {
    this.#each(from, to, (index, within, length) => {
      const page = this.#pages[index] ?? NONE;
      const begin = wordOf(page) * 4 + within;
      if (page !== NONE) threadRings.blockOf(page).octets.fill(this.#silence, begin, begin + length);
    });
  }

  /** Goes through the parts of `[from, to)` that lie in one page each. */
  #each(
    from: number,
    to: number,
    visit: (index: number, within: number, length: number, position: number) => void,
  ): void {
    for (let position = from; position < to;) {
      const offset = position - this.#start;
      const within = offset % PAGE;
      const length = Math.min(to - position, PAGE - within);
      visit((offset - within) / PAGE, within, length, position);
      position += length;
    }
  }

  /** A page with memory; a new one is silent. */
  #pageAt(index: number): number {
    const there = this.#pages[index] ?? NONE;
    if (there !== NONE) return there;
    const page = threadRings.take();
    this.#pages[index] = page;
    const begin = wordOf(page) * 4;
    threadRings.blockOf(page).octets.fill(this.#silence, begin, begin + PAGE);
    return page;
  }
}
