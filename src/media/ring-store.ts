/** Octets of a page: 256 ms of one leg. */
export const PAGE = 2 * 1024;

/** Words of 32 bits in a page. */
export const PAGE_WORDS = PAGE / 4;

/** Pages come out of blocks of so many: 1 MiB. */
const BLOCK_BITS = 9;
const BLOCK_PAGES = 1 << BLOCK_BITS;

/** Blocks that nobody has a page of and that keep their memory all the same, for the next calls. */
const SPARE_BLOCKS = 2;

/** So many pages side by side, by octets and by words. */
interface Block {
  readonly octets: Buffer;
  readonly words: Int32Array;
  /** Numbers of its pages that nobody has; what was given back last, and may still be in the caches, is at the end. */
  readonly free: number[];
  /** Its memory is with the kernel until somebody takes a page. */
  isDiscarded: boolean;
}

/**
 * Memory of the rings of a thread, in pages of one size, so that what one leg gives back serves any other. A page has a number; its block is what
 * `blockOf` says, its place there `wordOf`. Pages come from the first block that has one, and are given back within seconds, so that
 * the last blocks become empty again when there is less to hold; then the kernel has their memory back, where it can be told. The blocks themselves
 * stay: a thread that makes hardly any garbage would not collect them for hours.
 */
class RingStore {
  readonly #blocks: Block[] = [];
  /** No block before this one has a free page. */
  #lowest = 0;
  /** Blocks with memory that nobody has a page of. */
  #empty = 0;
  #discard: ((octets: Buffer) => void) | undefined;

  /** Octets of the blocks that have memory. */
  get octets(): number {
    return this.#blocks.filter(({ isDiscarded }) => !isDiscarded).length * BLOCK_PAGES * PAGE;
  }

  /** `discard`: gives the memory of a buffer back to the kernel, which gives it again when somebody writes there. */
  discardBy(discard: (octets: Buffer) => void): void {
    this.#discard = discard;
  }

  /** The number of a page that belongs to the caller from now on, with anything in it. */
  take(): number {
    for (; ; this.#lowest += 1) {
      const block = this.#blocks[this.#lowest] ?? this.#addBlock();
      const page = block.free.pop();
      if (page === undefined) continue;
      if (block.isDiscarded) block.isDiscarded = false;
      else if (block.free.length === BLOCK_PAGES - 1) this.#empty -= 1;
      return page;
    }
  }

  /** The caller forgets the page. */
  giveBack(page: number): void {
    const number = page >> BLOCK_BITS;
    const block = this.blockOf(page);
    block.free.push(page);
    if (number < this.#lowest) this.#lowest = number;
    if (block.free.length < BLOCK_PAGES) return;
    if (this.#discard === undefined || this.#empty < SPARE_BLOCKS) {
      this.#empty += 1;
      return;
    }
    this.#discard(block.octets);
    block.isDiscarded = true;
  }

  /** The block of a page. Throws for what is none. */
  blockOf(page: number): Block {
    const block = this.#blocks[page >> BLOCK_BITS];
    if (block === undefined) throw new RangeError(`no page ${page}`);
    return block;
  }

  #addBlock(): Block {
    const octets = Buffer.allocUnsafeSlow(BLOCK_PAGES * PAGE);
    const words = new Int32Array(octets.buffer, octets.byteOffset, BLOCK_PAGES * PAGE_WORDS);
    const last = (this.#blocks.length + 1) * BLOCK_PAGES - 1;
    const free = Array.from({ length: BLOCK_PAGES }, (_none, page) => last - page);
    const block = { octets, words, free, isDiscarded: true };
    this.#blocks.push(block);
    return block;
  }
}

/** The first word of a page in its block. */
export const wordOf = (page: number): number => (page & (BLOCK_PAGES - 1)) * PAGE_WORDS;

/** That of every ring of this thread. */
export const threadRings = new RingStore();
