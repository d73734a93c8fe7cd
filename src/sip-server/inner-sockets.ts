import { Socket } from 'node:net';

/** What waits for the other end, in the order in which it was written. */
type Piece = readonly [text: string | Uint8Array, encoding: BufferEncoding];

/**
 * One end of a connection within the process. What is written to it comes out of the other end in the next turn of the loop, all of a turn at
 * once, without the kernel: through loopback a message costs many times as much. Made for the control connection, so it knows as much of a socket as
 * is used there: it has no address, is never full, and when one end is closed both are, behind what was written.
 */
class InnerSocket extends Socket {
  peer: InnerSocket | undefined;
  #pieces: Piece[] = [];
  #isDue = false;

  override write(...given: unknown[]): boolean {
    const [text, encoding] = given as [string | Uint8Array, unknown];
    if (this.destroyed) return false;
    this.#pieces.push([text, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8']);
    this.#deliverSoon();
    return true;
  }

  override end(): this {
    return this.destroy();
  }

  override destroySoon(): void {
    this.destroy();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    setImmediate(() => {
      try {
        this.#deliver();
      } finally {
        this.#bothEnd(error, done);
      }
    });
  }

  #bothEnd(error: Error | null, done: (error: Error | null) => void): void {
    this.peer?.destroy();
    done(error);
    // A socket says by itself that it is closed, when its handle is; this one has none.
    setImmediate(() => {
      this.emit('close', error !== null);
    });
  }

  /** Begins: tells the application's end that it is connected. */
  begin(): void {
    setImmediate(() => {
      if (!this.destroyed) this.emit('connect');
    });
  }

  #deliverSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const pieces = this.#pieces;
    this.#pieces = [];
    if (pieces.length === 0 || this.peer === undefined || this.peer.destroyed) return;
    this.peer.emit('data', octetsOf(pieces));
  }
}

const octets = ([text, encoding]: Piece): Buffer =>
  typeof text === 'string' ? Buffer.from(text, encoding) : Buffer.from(text);

function octetsOf(pieces: readonly Piece[]): Buffer {
  const [first] = pieces;
  return pieces.length === 1 && first !== undefined ? octets(first) : Buffer.concat(pieces.map(octets));
}

/** Both ends of a connection; the first one tells with `connect` that it is there. */
export function innerSockets(): readonly [Socket, Socket] {
  const [one, other] = [new InnerSocket(), new InnerSocket()];
  one.peer = other;
  other.peer = one;
  one.begin();
  return [one, other];
}
