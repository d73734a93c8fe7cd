/** Octets waiting to be framed. Appending many small segments costs time in proportion to the octets, not their square. */
export class ByteQueue {
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** The waiting octets; valid until the next `append`. */
  get view(): Buffer {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  append(chunk: Buffer): void {
    if (this.length === 0) {
      this.#bytes = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      return;
    }
    if (this.#end + chunk.length > this.#bytes.length) this.#grow(chunk.length);
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  consume(count: number): void {
    this.#start += count;
    if (this.#start < this.#end) return;
    this.#bytes = Buffer.alloc(0);
    this.#start = this.#end = 0;
  }

  /** Moves to a buffer of our own: the first chunk belongs to the socket and must not be written to. */
  #grow(more: number): void {
    const larger = Buffer.allocUnsafe(Math.max(1024, 2 * (this.length + more)));
    const length = this.view.copy(larger);
    this.#bytes = larger;
    this.#start = 0;
    this.#end = length;
  }
}
