/** 4.096 s: the reordering window, one flush interval and the sweeps in between. */
const FIRST_CAPACITY = 32 * 1024;

/** 65.5 s. A sender further ahead of the clock, or a disk away for longer, costs audio. */
export const LONGEST = 512 * 1024;

/**
 * The octets of one leg between the oldest sample that may still change and the newest that arrived, by position. What nobody
 * wrote reads as silence. Capacity is a power of two, so a position's place is a mask away:
 *
 *     position   base              written to file        newest
 *        ───────┬┴─────────────────────┬─────────────────────┬──────
 *        final  │  within the window   │  not yet on disk    │ silence
 */
export class LegRing {
  readonly #silence: number;
  readonly #limit: number;
  #octets: Buffer;
  #base: number;

  /** `base`: first position kept; everything before it is silence already. `limit`: positions it spans at most. */
  constructor(silence: number, base: number, limit = LONGEST) {
    this.#silence = silence;
    this.#limit = Math.min(limit, LONGEST);
    this.#base = base;
    this.#octets = Buffer.alloc(FIRST_CAPACITY, silence);
  }

  get base(): number {
    return this.#base;
  }

  get capacity(): number {
    return this.#octets.length;
  }

  /** Makes room for positions before `end`, growing if it must; false when that is more than a leg may hold. */
  reserve(end: number): boolean {
    if (end - this.#base > this.#limit) return false;
    if (end - this.#base <= this.#octets.length) return true;
    let capacity = this.#octets.length;
    while (capacity < end - this.#base) capacity *= 2;
    const grown = Buffer.alloc(capacity, this.#silence);
    const old = this.#octets;
    const from = this.#base & (old.length - 1);
    // Two straight runs of the old ring, each unbroken in the new one or wrapped by `place`.
    this.#octets = grown;
    this.#place(this.#base, old, from, old.length);
    this.#place(this.#base + old.length - from, old, 0, from);
    return true;
  }

  /** Copies `source[start..end)` to `position`; the caller has reserved the room and stays at or after `base`. */
  put(position: number, source: Buffer, start: number, end: number): void {
    this.#place(position, source, start, end);
  }

  /** Copies `[from, to)` to `target` at `at`; the span begins at or after `base` and is no longer than the ring. */
  read(from: number, to: number, target: Buffer, at: number): void {
    if (to <= from) return;
    const size = this.#octets.length;
    const start = from & (size - 1);
    const straight = Math.min(to - from, size - start);
    this.#octets.copy(target, at, start, start + straight);
    if (straight < to - from) this.#octets.copy(target, at + straight, 0, to - from - straight);
  }

  /** Moves what is in `[from, to)` by so many positions; the caller has reserved the room. What is left behind is silence. */
  move(from: number, to: number, by: number): void {
    const octets = Buffer.alloc(to - from);
    this.read(from, to, octets, 0);
    this.#place(from, Buffer.alloc(to - from, this.#silence), 0, to - from);
    this.#place(from + by, octets, 0, octets.length);
  }

  /** Gives up everything before `position`: its places become silence for positions to come. */
  release(position: number): void {
    if (position <= this.#base) return;
    const size = this.#octets.length;
    const count = Math.min(position - this.#base, size);
    const from = this.#base & (size - 1);
    const straight = Math.min(count, size - from);
    this.#octets.fill(this.#silence, from, from + straight);
    this.#octets.fill(this.#silence, 0, count - straight);
    this.#base = position;
  }

  #place(position: number, source: Buffer, start: number, end: number): void {
    const size = this.#octets.length;
    const at = position & (size - 1);
    const straight = Math.min(end - start, size - at);
    source.copy(this.#octets, at, start, start + straight);
    if (start + straight < end) source.copy(this.#octets, 0, start + straight, end);
  }
}
