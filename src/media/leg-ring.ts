import { NO_MEMORY, threadRings, type RingMemory } from './ring-store.ts';

/**
 * 1.792 s: one flush interval, and what a late tick adds. Where gaps wait for stragglers, as with every leg that begins, it is twice as much for a
 * while: the reordering window, a flush interval, and the time between two reads of a port.
 */
const FIRST_CAPACITY = 14 * 1024;

/** A ring that holds no more than this does with the first capacity again. */
const FEW = FIRST_CAPACITY / 4;

/** 65.5 s. A sender further ahead of the clock, or a disk away for longer, costs audio. */
export const LONGEST = 512 * 1024;

/**
 * The octets of one leg between the oldest sample that may still change and the newest that arrived, by position. What nobody
 * wrote reads as silence. A position's place is what is left of it when it is divided by the capacity:
 *
 *     position   base       first       written to file        top
 *        ───────┬┴───────────┬──────────────┬─────────────────────┬──────
 *        final  │  silence   │  in the window, or not yet on disk  │ silence
 *
 * Memory is held for `[first, top)`, what somebody wrote and what lies between, and for nothing else: a leg that begins has room before its
 * first packet that hardly ever is used. Silence is written where audio jumps over it, and not where audio follows audio.
 */
export class LegRing {
  readonly #silence: number;
  readonly #limit: number;
  #memory: RingMemory = NO_MEMORY;
  /** Added to a position for its place, so that the first audio begins with a word; -1 before there is any. */
  #phase = -1;
  #base: number;
  /** First position in memory; `top` while there is none. */
  #first: number;
  #top: number;

  /** `base`: first position kept; everything before it is silence already. `limit`: positions it spans at most. */
  constructor(silence: number, base: number, limit = LONGEST) {
    this.#silence = silence;
    this.#limit = Math.min(limit, LONGEST);
    this.#base = base;
    this.#first = base;
    this.#top = base;
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
    return this.#memory.octets.length;
  }

  /** Whether positions before `end` can be written; false when that is more than a leg may hold. Memory comes with what is written. */
  reaches(end: number): boolean {
    return end - this.#base <= this.#limit;
  }

  /** Copies `source[start..end)` to `position`; the caller knows that the ring reaches so far, and stays at or after `base`. */
  put(position: number, source: Buffer, start: number, end: number): void {
    this.#reach(position, position + end - start);
    this.#place(position, source, start, end);
  }

  /**
   * As `put`, word by word, which is quicker for a packet; the source in words, `start` and `end` in octets. False, and nothing done, where
   * these, or the place in the ring, are not at the edge of a word.
   */
  putWords(position: number, source: Int32Array, start: number, end: number): boolean {
    if (this.#phase < 0) this.#phase = -position & 3;
    if ((((position + this.#phase) | start | end) & 3) !== 0) return false;
    this.#reach(position, position + end - start);
    const at = this.#placeOf(position);
    const { words } = this.#memory;
    let word = at >> 2;
    for (let from = start >> 2; from < end >> 2; from++) {
      words[word] = source[from] ?? 0;
      if (++word === words.length) word = 0;
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
    if (end === first) return;
    const start = this.#placeOf(first);
    const { octets } = this.#memory;
    const straight = Math.min(end - first, octets.length - start);
    octets.copy(target, at + first - from, start, start + straight);
    if (straight < end - first) octets.copy(target, at + first - from + straight, 0, end - first - straight);
  }

  /** Moves what is in `[from, to)` by so many positions; the caller knows that the ring reaches so far. What is left behind is silence. */
  move(from: number, to: number, by: number): void {
    const octets = Buffer.alloc(to - from);
    this.read(from, to, octets, 0);
    this.put(from, Buffer.alloc(to - from, this.#silence), 0, to - from);
    this.put(from + by, octets, 0, octets.length);
  }

  /** Gives up everything before `position`: its places are free for positions to come. */
  release(position: number): void {
    if (position <= this.#base) return;
    this.#base = position;
    this.#first = Math.max(this.#first, position);
    this.#top = Math.max(this.#top, position);
    if (this.capacity > FIRST_CAPACITY && this.#top - this.#first <= FEW) this.#resize(FEW);
  }

  /** Gives up everything, the memory too; the ring may be used again. */
  clear(): void {
    this.#base = this.#first = this.#top;
    threadRings.giveBack(this.#memory);
    this.#memory = NO_MEMORY;
  }

  /** Makes `[from, to)` part of what is held; silence fills what audio jumps over. */
  #reach(from: number, to: number): void {
    if (from === this.#top && to - this.#first <= this.capacity) {
      this.#top = to;
      return;
    }
    if (this.#phase < 0) this.#phase = -from & 3;
    if (this.#first === this.#top) this.#first = this.#top = from;
    const first = Math.min(this.#first, from);
    const top = Math.max(this.#top, to);
    if (top - first > this.capacity) this.#resize(top - first);
    if (from > this.#top) this.#silenceBetween(this.#top, from);
    if (to < this.#first) this.#silenceBetween(to, this.#first);
    this.#first = first;
    this.#top = top;
  }

  #silenceBetween(from: number, to: number): void {
    const { octets } = this.#memory;
    const start = this.#placeOf(from);
    const straight = Math.min(to - from, octets.length - start);
    octets.fill(this.#silence, start, start + straight);
    octets.fill(this.#silence, 0, to - from - straight);
  }

  #resize(needed: number): void {
    const before = this.#memory;
    let capacity = FIRST_CAPACITY;
    while (capacity < needed) capacity *= 2;
    const from = this.#placeOf(this.#first);
    const held = this.#top - this.#first;
    const straight = Math.min(held, before.octets.length - from);
    this.#memory = threadRings.take(capacity);
    if (held > 0) {
      // Two straight runs of the old ring, each unbroken in the new one or wrapped by `place`.
      this.#place(this.#first, before.octets, from, from + straight);
      this.#place(this.#first + straight, before.octets, 0, held - straight);
    }
    threadRings.giveBack(before);
  }

  #place(position: number, source: Buffer, start: number, end: number): void {
    const { octets } = this.#memory;
    const at = this.#placeOf(position);
    const straight = Math.min(end - start, octets.length - at);
    source.copy(octets, at, start, start + straight);
    if (start + straight < end) source.copy(octets, 0, start + straight, end);
  }

  #placeOf(position: number): number {
    return (position + Math.max(0, this.#phase)) % this.capacity;
  }
}
