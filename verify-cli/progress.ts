const WIDTH = 30;
/** Milliseconds between two drawings. */
const INTERVAL = 100;

/** A progress bar in one line of a terminal. */
export class ProgressBar {
  readonly #write: (text: string) => void;
  readonly #now: () => number;
  #drawnAt = 0;
  #drawn = false;

  constructor(write: (text: string) => void, now: () => number) {
    this.#write = write;
    this.#now = now;
  }

  update(done: number, total: number): void {
    if (done < total && this.#now() - this.#drawnAt < INTERVAL) return;
    this.#drawnAt = this.#now();
    this.#drawn = true;
    const filled = total === 0 ? WIDTH : Math.floor((done / total) * WIDTH);
    this.#write(`\r[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${done} of ${total} recordings`);
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#drawn) this.#write('\r\u001b[K');
  }
}
