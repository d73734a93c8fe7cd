import { createHash } from 'node:crypto';

/** SHA-256 of octets as they come, and of their beginnings of given lengths: one pass over a file, however many are asked for. */
export class BeginningHash {
  readonly #hash = createHash('sha256');
  readonly #found = new Map<number, string>();
  /** Ascending; those still ahead. */
  readonly #ahead: number[];
  #octets = 0;

  /** `lengths` in any order. */
  constructor(lengths: readonly number[]) {
    this.#ahead = [...new Set(lengths)].sort((a, b) => a - b);
  }

  update(part: Uint8Array): void {
    let rest = part;
    for (;;) {
      const [next] = this.#ahead;
      if (next === undefined || next > this.#octets + rest.length) break;
      const upTo = next - this.#octets;
      this.#hash.update(rest.subarray(0, upTo));
      rest = rest.subarray(upTo);
      this.#octets = next;
      this.#found.set(next, this.#hash.copy().digest('hex'));
      this.#ahead.shift();
    }
    this.#hash.update(rest);
    this.#octets += rest.length;
  }

  /** Of everything, hex. Ends the hash. */
  digest(): string {
    return this.#hash.digest('hex');
  }

  /** Whether all beginnings asked for are known. */
  get isComplete(): boolean {
    return this.#ahead.length === 0;
  }

  /** Of the beginning of one of the lengths asked for, hex; undefined when there were fewer octets. */
  of(length: number): string | undefined {
    return this.#found.get(length);
  }
}
