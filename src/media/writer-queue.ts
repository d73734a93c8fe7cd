/** Writes that can be under way at once. */
const PLACES = 64;
/** The octets that one takes at most: what two channels are written with first, 3.5 s later. Of a place only what is used takes memory. */
export const PLACE_BYTES = 64 * 1024;

const [PUBLISHED, CLAIMED, AWAITED] = [0, 1, 2];
const QUEUE = 16;
const DESCRIPTORS = QUEUE + PLACES;
const LENGTHS = DESCRIPTORS + PLACES;
const OUTCOMES = LENGTHS + PLACES;
const CONTROL_BYTES = (OUTCOMES + PLACES) * 4;
const OCTETS = CONTROL_BYTES + PLACES * 8;

/** Outcome of a write that nobody has done yet; of one that went wrong it is the negative number of the error. */
const PENDING = 1;

/** One write, as it lies in the memory: octets of a place go to a file from a position on. */
export interface QueuedWrite {
  readonly fd: number;
  readonly octets: Buffer;
  readonly position: number;
}

/**
 * Writes on their way from the thread that receives to the one that writes, in memory that both see: places with octets, and the numbers of
 * those places in the order in which they are to be written. Nothing is cloned, and one bell serves all that was published together.
 *
 *     queue   … 17  4 │ 90  3  55 │ …        claimed ≤ published; a claimed number belongs to whoever raised `claimed`
 *               claimed┘           └published
 */
export class WriterQueue {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #positions: Float64Array;
  readonly #octets: Buffer;

  constructor(memory = new SharedArrayBuffer(OCTETS + PLACES * PLACE_BYTES)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, CONTROL_BYTES / 4);
    this.#positions = new Float64Array(memory, CONTROL_BYTES, PLACES);
    this.#octets = Buffer.from(memory, OCTETS);
  }

  get places(): number {
    return PLACES;
  }

  /** Whether so many octets have room in a place. */
  fits(length: number): boolean {
    return length <= PLACE_BYTES;
  }

  /** The first `length` octets of a place. */
  octets(place: number, length: number): Buffer {
    return this.#octets.subarray(place * PLACE_BYTES, place * PLACE_BYTES + length);
  }

  /** Puts a place behind those that wait to be written. Only one thread publishes. */
  publish(place: number, fd: number, length: number, position: number): void {
    const words = this.#words;
    words[DESCRIPTORS + place] = fd;
    words[LENGTHS + place] = length;
    words[OUTCOMES + place] = PENDING;
    this.#positions[place] = position;
    const published = Atomics.load(words, PUBLISHED);
    words[QUEUE + (published & (PLACES - 1))] = place;
    Atomics.store(words, PUBLISHED, (published + 1) | 0);
  }

  /** Wakes whoever waits for something to write. */
  ring(): void {
    Atomics.notify(this.#words, PUBLISHED);
  }

  /** Takes the next place that nobody has claimed; -1 when there is none. */
  claim(): number {
    const words = this.#words;
    for (;;) {
      const claimed = Atomics.load(words, CLAIMED);
      if (claimed === Atomics.load(words, PUBLISHED)) return -1;
      const place = words[QUEUE + (claimed & (PLACES - 1))] ?? -1;
      if (Atomics.compareExchange(words, CLAIMED, claimed, (claimed + 1) | 0) === claimed) return place;
    }
  }

  /** As `claim`, but waits until there is one. Blocks the thread. */
  claimNext(): number {
    for (;;) {
      const published = Atomics.load(this.#words, PUBLISHED);
      const place = this.claim();
      if (place >= 0) return place;
      Atomics.wait(this.#words, PUBLISHED, published);
    }
  }

  /** What is to be written of a claimed place. */
  write(place: number): QueuedWrite {
    return {
      fd: this.#words[DESCRIPTORS + place] ?? -1,
      octets: this.octets(place, this.#words[LENGTHS + place] ?? 0),
      position: this.#positions[place] ?? 0,
    };
  }

  /** The write of a place is over; `errno` as Node's errors have it, 0 for none. */
  settle(place: number, errno: number): void {
    Atomics.store(this.#words, OUTCOMES + place, Math.min(0, errno));
  }

  /** The `errno` a write ended with, 0 for a good end; undefined while it has not ended. */
  outcome(place: number): number | undefined {
    const outcome = Atomics.load(this.#words, OUTCOMES + place);
    return outcome === PENDING ? undefined : outcome;
  }

  /** Asks to be told of the next write that is over; otherwise one looks when it suits. */
  expect(): void {
    Atomics.store(this.#words, AWAITED, 1);
  }

  /** Whether somebody asked to be told since the last time. */
  isExpected(): boolean {
    return Atomics.exchange(this.#words, AWAITED, 0) === 1;
  }
}
