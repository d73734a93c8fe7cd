/** Room for the sockets of one media thread; what does not fit is merely not listed. */
const CAPACITY = 32_768;

/**
 * The file descriptors a media thread has opened, in memory shared with the main thread. Descriptors made by system
 * calls of our own belong to the process and outlive a thread that dies; with this list they can still be closed.
 */
export class OpenSockets {
  /** Each entry is a descriptor + 1, or 0. Hand this to the other thread. */
  readonly shared: Int32Array;
  readonly #places = new Map<number, number>();
  #next = 0;

  constructor(shared: Int32Array = new Int32Array(new SharedArrayBuffer(CAPACITY * 4))) {
    this.shared = shared;
  }

  add(fd: number): void {
    let place = this.shared.indexOf(0, this.#next);
    if (place < 0) place = this.shared.indexOf(0);
    if (place < 0) return;
    this.#next = place + 1;
    this.#places.set(fd, place);
    Atomics.store(this.shared, place, fd + 1);
  }

  /** Call before the descriptor is closed: afterwards its number may already name another file. */
  remove(fd: number): void {
    const place = this.#places.get(fd);
    if (place === undefined) return;
    this.#places.delete(fd);
    Atomics.store(this.shared, place, 0);
  }

  /** Empties the list of a thread that has ended and returns what was on it. */
  takeAll(): number[] {
    const descriptors: number[] = [];
    for (const entry of this.shared) if (entry > 0) descriptors.push(entry - 1);
    this.shared.fill(0);
    this.#places.clear();
    return descriptors;
  }
}
