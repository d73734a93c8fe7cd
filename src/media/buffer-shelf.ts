import { PLACE_BYTES } from './writer-queue.ts';

/** Buffers kept for the next writes. */
const KEPT = 32;

/** What is not longer, as a header is, is no burden on the next collection of garbage. */
export const SHORT = 1024;

/**
 * Buffers for octets on their way to the disk: taken, filled, written, given back, so that each second of a call costs no new memory. One that is
 * not given back stays for hours in a thread that makes hardly any garbage.
 */
export class BufferShelf {
  readonly #spare: Buffer[] = [];

  /** A buffer of at least `length` octets, with anything in it. */
  take(length: number): Buffer {
    if (length <= SHORT) return Buffer.allocUnsafe(length);
    if (length > PLACE_BYTES) return Buffer.allocUnsafeSlow(length);
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(PLACE_BYTES);
  }

  giveBack(buffer: Buffer): void {
    if (buffer.length === PLACE_BYTES && this.#spare.length < KEPT) this.#spare.push(buffer);
  }
}
