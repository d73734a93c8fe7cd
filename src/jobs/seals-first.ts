/** So many recordings without their seal at once are more than come and go in passing. */
const MANY = 4;
/** Milliseconds that a delivery waits for seals, at most: they may be many for hours, and archives are to be filled all the same. */
const LONGEST_WAIT = 1000;

/**
 * Who goes first when there is more to do than there is time: a recording that has ended can be altered until it is sealed, one that is sealed
 * can be delivered later (docs/decisions/025). So deliveries begin slowly while many recordings wait for their seals, and as fast as their
 * destinations take them otherwise.
 */
export class SealsFirst {
  readonly #unsealed = new Set<string>();
  readonly #waiting = new Set<() => void>();

  /** A seal is due. It counts until `sealing` has had it. */
  due(recording: string): void {
    this.#unsealed.add(recording);
  }

  /** Seals, and counts it no longer when that is over, however it ends. */
  async sealing<T>(recording: string, seal: () => Promise<T>): Promise<T> {
    this.due(recording);
    try {
      return await seal();
    } finally {
      this.#unsealed.delete(recording);
      if (!this.#pressing) for (const go of [...this.#waiting]) go();
    }
  }

  /** Resolves when a delivery may begin: at once while few seals are due; at the latest after a second, or when `signal` fires. */
  pass(signal: AbortSignal): Promise<void> {
    if (!this.#pressing || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const go = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', go);
        this.#waiting.delete(go);
        resolve();
      };
      const timer = setTimeout(go, LONGEST_WAIT);
      signal.addEventListener('abort', go, { once: true });
      this.#waiting.add(go);
    });
  }

  get #pressing(): boolean {
    return this.#unsealed.size >= MANY;
  }
}
