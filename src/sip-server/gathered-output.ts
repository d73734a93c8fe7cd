import type { Socket } from 'node:net';

/** Writes what one turn has for a socket at once: a call of the system costs more than what it carries. The order is kept. */
export class GatheredOutput {
  readonly #socket: Socket;
  readonly #mostUnsent: number;
  readonly #overflow: () => void;
  #gathered = '';

  /** `overflow` is called when the peer has let more than `mostUnsent` octets come together. */
  constructor(socket: Socket, mostUnsent: number, overflow: () => void) {
    this.#socket = socket;
    this.#mostUnsent = mostUnsent;
    this.#overflow = overflow;
  }

  /** `text` is a byte string. */
  write(text: string): void {
    if (this.#gathered === '')
      queueMicrotask(() => {
        this.#flush();
      });
    this.#gathered += text;
  }

  /** Closes the socket behind what was written. */
  end(): void {
    this.#flush();
    this.#socket.destroySoon();
  }

  #flush(): void {
    const text = this.#gathered;
    this.#gathered = '';
    if (text === '' || !this.#socket.writable) return;
    this.#socket.write(text, 'latin1');
    if (this.#socket.writableLength > this.#mostUnsent) this.#overflow();
  }
}
