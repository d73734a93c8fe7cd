/** Memory for one ring, by octets and by words of 32 bits. */
export interface RingMemory {
  readonly octets: Buffer;
  readonly words: Int32Array;
}

/** Places are cut out of blocks of so many octets. */
const BLOCK = 72 * 14 * 1024;

/** Larger ones are seldom, for a disk that stalls, and must not stay for ever. */
const LARGEST_KEPT = 56 * 1024;

/** The memory of no ring. */
export const NO_MEMORY: RingMemory = memoryOf(Buffer.alloc(0));

/**
 * Memory of rings that is used again: what was given back last, and may still be in the caches, is taken first. It stays with the thread, as much
 * as there ever was in use at a time; larger places that nobody needs are halved for those that need smaller ones.
 */
class RingStore {
  readonly #free = new Map<number, RingMemory[]>();
  #block: Buffer = Buffer.alloc(0);
  /** First octet of the block that belongs to nobody. */
  #next = 0;

  /** Memory of `capacity` octets, with anything in it. */
  take(capacity: number): RingMemory {
    if (capacity > LARGEST_KEPT) return memoryOf(Buffer.allocUnsafeSlow(capacity));
    return this.#free.get(capacity)?.pop() ?? this.#half(capacity * 2) ?? this.#cut(capacity);
  }

  /** The caller forgets the memory. */
  giveBack(memory: RingMemory): void {
    const capacity = memory.octets.length;
    if (capacity === 0 || capacity > LARGEST_KEPT) return;
    const free = this.#free.get(capacity);
    if (free === undefined) this.#free.set(capacity, [memory]);
    else free.push(memory);
  }

  /** One half of a free place of `capacity` octets, if there is one; the other half is free then. */
  #half(capacity: number): RingMemory | undefined {
    if (capacity > LARGEST_KEPT) return undefined;
    const octets = (this.#free.get(capacity)?.pop() ?? this.#half(capacity * 2))?.octets;
    if (octets === undefined) return undefined;
    this.giveBack(memoryOf(octets.subarray(capacity / 2)));
    return memoryOf(octets.subarray(0, capacity / 2));
  }

  #cut(capacity: number): RingMemory {
    if (this.#next + capacity > this.#block.length) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK);
      this.#next = 0;
    }
    const octets = this.#block.subarray(this.#next, this.#next + capacity);
    this.#next += capacity;
    return memoryOf(octets);
  }
}

/** That of every ring of this thread. */
export const threadRings = new RingStore();

function memoryOf(octets: Buffer): RingMemory {
  return { octets, words: new Int32Array(octets.buffer, octets.byteOffset, octets.length / 4) };
}
