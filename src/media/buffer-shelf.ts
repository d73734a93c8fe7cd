/** Buffers kept for the next write, and the size of those worth keeping. */
const KEPT = 32;
const USUAL_BYTES = 32 * 1024;

/** Buffers for octets on their way to the disk: taken, filled, written, given back, so that each second of a call costs no new memory. */
export class BufferShelf {
  readonly #spare: Buffer[] = [];

  /** A buffer of at least `length` octets, with anything in it. */
  take(length: number): Buffer {
    if (length > USUAL_BYTES) return Buffer.allocUnsafeSlow(length);
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(USUAL_BYTES);
  }

  giveBack(buffer: Buffer): void {
    if (buffer.length === USUAL_BYTES && this.#spare.length < KEPT) this.#spare.push(buffer);
  }
}
