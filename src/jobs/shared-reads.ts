/** Ids of one read, at most. */
const MOST = 32;

interface Asker<T> {
  readonly id: string;
  readonly resolve: (found: T | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Reads that are asked for while one is under way share the next: a statement costs far more than a row. */
export class SharedReads<T> {
  readonly #read: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>;
  readonly #waiting: Asker<T>[] = [];
  #busy = false;

  /** `read` leaves out what is not there. */
  constructor(read: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>) {
    this.#read = read;
  }

  /** As it is after the call. Rejects as the read does. */
  of(id: string): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id, resolve, reject });
      if (!this.#busy) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) await this.#together(this.#waiting.splice(0, MOST));
    this.#busy = false;
  }

  async #together(askers: readonly Asker<T>[]): Promise<void> {
    try {
      const found = await this.#read([...new Set(askers.map(({ id }) => id))]);
      for (const { id, resolve } of askers) resolve(found.get(id));
    } catch (error) {
      for (const { reject } of askers) reject(error);
    }
  }
}
