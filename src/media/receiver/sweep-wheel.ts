/** How often a slice is due. */
export const SLICE_MS = 20;
/** Slices to a full turn: every member comes up once in 400 ms, in 200 ms while there are few. */
export const SLICES = 20;
/** So many members are few: two lines of 250 calls. */
export const FEW = 500;
/** Slices to a full turn for what somebody waits to be answered on: once in 200 ms. */
export const BRISK_SLICES = 10;
/** The same for what comes seldom: once in a second. */
export const SELDOM_SLICES = 50;

/** Spreads its members over slices of nearly equal size and says which slice is due. */
export class SweepWheel<T> {
  readonly #slices: Set<T>[];
  readonly #few: number;
  #size = 0;
  #current = 0;
  #dueAt = 0;

  /** `slices` to a full turn; with up to `few` members it turns twice as fast. */
  constructor(slices: number, few = 0) {
    this.#slices = Array.from({ length: slices }, () => new Set<T>());
    this.#few = few;
  }

  add(member: T): void {
    let smallest: Set<T> | undefined;
    for (const slice of this.#slices)
      if (smallest === undefined || slice.size < smallest.size) smallest = slice;
    smallest?.add(member);
    this.#size += 1;
  }

  remove(member: T): void {
    if (this.#slices.some((slice) => slice.delete(member))) this.#size -= 1;
  }

  all(): T[] {
    return this.#slices.flatMap((slice) => [...slice]);
  }

  /**
   * How many slices are due at `now` (milliseconds of a clock that only goes forward). After a stall it is more than usual, but never more
   * than a full turn.
   */
  due(now: number): number {
    if (now < this.#dueAt) return 0;
    const missed = Math.floor((now - this.#dueAt) / SLICE_MS) + 1;
    const next = this.#dueAt + Math.min(this.#slices.length, missed) * SLICE_MS;
    this.#dueAt = next > now ? next : now + SLICE_MS;
    return Math.min(this.#slices.length, this.#size > this.#few ? missed : 2 * missed);
  }

  /** The next slice in turn. Members may be added and removed while it is walked. */
  next(): Iterable<T> {
    this.#current = (this.#current + 1) % this.#slices.length;
    return this.#slices[this.#current] ?? [];
  }
}
