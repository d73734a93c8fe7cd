import { sequenceDistance } from './sequence.ts';

/** Sequence numbers remembered one by one: 2 s of reordering even at a packet a millisecond. */
const REMEMBERED = 2048;

/** A larger step forward is not believed until the next number confirms it (RFC 3550 A.1, MAX_DROPOUT). */
const MAX_DROPOUT = 3000;

/**
 * `next`: beyond every number so far. `old`: fills a hole. `duplicate`: was here. `beyond`: older than what is remembered.
 * `wild`: too far ahead. `restart`: the second number in a row that does not fit, so the sender began anew.
 */
export type SequenceVerdict = 'next' | 'old' | 'duplicate' | 'beyond' | 'wild' | 'restart';

/** The sequence numbers of one source: which came, which came twice, how many should have come (RFC 3550 A.1, A.3). */
export class SequenceWindow {
  readonly #seen = new Uint32Array(REMEMBERED / 32);
  #first = 0;
  #highest = -1;
  #suspect = -1;
  /** Expected before the last restart. */
  #expectedBefore = 0;

  /** Distinct packets that arrived. */
  received = 0;
  /** The sequence number of the last `next` or `old` or `restart`, extended beyond 16 bits. */
  extended = 0;

  /** From the lowest to the highest number, over all restarts. */
  get expected(): number {
    return this.#highest < 0 ? 0 : this.#expectedBefore + this.#highest - this.#first + 1;
  }

  /** The highest number so far, its turns since the first one in the upper half (RFC 3550 §6.4.1). */
  get highest(): number {
    return Math.max(0, this.#highest - 0x10000);
  }

  /** The highest number so far as `extended` counts; -1 when there was none. */
  get newest(): number {
    return this.#highest;
  }

  /** Takes the `count` numbers that come next, one after the other. */
  follow(count: number): void {
    for (let step = 0; step < count; step++) this.#mark(++this.#highest);
  }

  /** Takes one 16-bit sequence number. */
  accept(sequenceNumber: number): SequenceVerdict {
    if (this.#highest < 0) return this.#begin(sequenceNumber, 'next');
    const distance = sequenceDistance(this.#highest & 0xffff, sequenceNumber);
    if (distance > 0) {
      if (distance > MAX_DROPOUT) return this.doubt(sequenceNumber) ? 'restart' : 'wild';
      this.#advance(distance);
      return 'next';
    }
    if (distance <= -REMEMBERED) return this.doubt(sequenceNumber) ? 'restart' : 'beyond';
    return this.#lookBack(this.#highest + distance);
  }

  /**
   * Notes that the number does not fit to this source. True when the one before it did not fit either and was its neighbour:
   * then the source starts anew from here.
   */
  doubt(sequenceNumber: number): boolean {
    if (sequenceNumber === this.#suspect) {
      this.#expectedBefore = this.expected;
      this.#begin(sequenceNumber, 'restart');
      return true;
    }
    this.#suspect = (sequenceNumber + 1) & 0xffff;
    return false;
  }

  /** The extended number of a packet that `accept` would call `old` or `duplicate`, else NaN. */
  lookup(sequenceNumber: number): number {
    if (this.#highest < 0) return NaN;
    const distance = sequenceDistance(this.#highest & 0xffff, sequenceNumber);
    return distance <= 0 && distance > -REMEMBERED ? this.#highest + distance : NaN;
  }

  #begin<V extends SequenceVerdict>(sequenceNumber: number, verdict: V): V {
    this.#seen.fill(0);
    // One turn up, so that stragglers from before the first packet stay positive.
    this.#first = sequenceNumber + 0x10000;
    this.#highest = this.#first;
    this.#suspect = -1;
    this.#mark(this.#highest);
    return verdict;
  }

  #advance(distance: number): void {
    if (distance >= REMEMBERED) this.#seen.fill(0);
    else for (let step = 1; step < distance; step++) this.#clear(this.#highest + step);
    this.#highest += distance;
    this.#mark(this.#highest);
  }

  #lookBack(extended: number): SequenceVerdict {
    if (this.#has(extended)) return 'duplicate';
    if (extended < this.#first) this.#first = extended;
    this.#mark(extended);
    return 'old';
  }

  #mark(extended: number): void {
    const index = (extended >>> 5) & (this.#seen.length - 1);
    this.#seen[index] = (this.#seen[index] ?? 0) | (1 << (extended & 31));
    this.received++;
    this.extended = extended;
  }

  #clear(extended: number): void {
    const index = (extended >>> 5) & (this.#seen.length - 1);
    this.#seen[index] = (this.#seen[index] ?? 0) & ~(1 << (extended & 31));
  }

  #has(extended: number): boolean {
    const index = (extended >>> 5) & (this.#seen.length - 1);
    return ((this.#seen[index] ?? 0) & (1 << (extended & 31))) !== 0;
  }
}
