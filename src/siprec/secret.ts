/**
 * Key material on its way from the SDP to the media side. Whatever is logged, traced, inspected or turned into JSON shows no more than that
 * there was a key.
 */
export class Secret {
  readonly #bytes: Buffer;

  /** Takes the bytes over into memory of its own: what is decoded shares eight kilobytes with what has nothing to do with it, and keeps all of them. */
  constructor(bytes: Buffer) {
    this.#bytes = Buffer.allocUnsafeSlow(bytes.length);
    bytes.copy(this.#bytes);
    bytes.fill(0);
  }

  /** The key itself; for the media side and the answer alone. */
  reveal(): Buffer {
    return this.#bytes;
  }

  /** Overwrites the key; it opens nothing any more. */
  erase(): void {
    this.#bytes.fill(0);
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }
}
