/** How often a slice is due. */
export const SLICE_MS = 20;
/** Slices to a full turn: every member comes up once in 500 ms, in 200 ms while there are few. */
export const SLICES = 25;
/** How much faster the turn is while there are few. */
const HASTE = 2.5;
/** So many members are few: two lines of 250 calls. */
export const FEW = 500;
/** Slices to a full turn for what somebody waits to be answered on: once in 200 ms. */
export const BRISK_SLICES = 10;

/** Spreads its members over slices of nearly equal size and says which slice is due. */
export class SweepWheel<T> {
  readonly #slices: Set<T>[];
  readonly #sliceOf = new Map<T, Set<T>>();
  readonly #few: number;
  #current = 0;
  #dueAt = 0;
  /** Part of a slice that is due, below 1. */
  #rest = 0;

  /** `slices` to a full turn; with up to `few` members it turns faster, as if there were 10 of 25. */
  constructor(slices: number, few = 0) {
    this.#slices = Array.from({ length: slices }, () => new Set<T>());
    this.#few = few;
  }

  add(member: T): void {
    let smallest: Set<T> | undefined;
    for (const slice of this.#slices)
      if (smallest === undefined || slice.size < smallest.size) smallest = slice;
    if (smallest !== undefined) this.#put(member, smallest);
  }

  remove(member: T): void {
    this.#sliceOf.get(member)?.delete(member);
    this.#sliceOf.delete(member);
  }

  /** It has had a turn out of order: its next one comes when all others have had theirs. Not for use while a slice is walked. */
  postpone(member: T): void {
    const slice = this.#sliceOf.get(member);
    const last = this.#slices[this.#current];
    if (slice === undefined || last === undefined || slice === last) return;
    slice.delete(member);
    this.#put(member, last);
  }

  all(): T[] {
    return [...this.#sliceOf.keys()];
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
    if (this.#sliceOf.size > this.#few) return Math.min(this.#slices.length, missed);
    const due = missed * HASTE + this.#rest;
    this.#rest = due % 1;
    return Math.min(this.#slices.length, Math.floor(due));
  }

  /** The next slice in turn. Members may be added and removed while it is walked. */
  next(): Iterable<T> {
    this.#current = (this.#current + 1) % this.#slices.length;
    return this.#slices[this.#current] ?? [];
  }

  #put(member: T, slice: Set<T>): void {
    slice.add(member);
    this.#sliceOf.set(member, slice);
  }
}
