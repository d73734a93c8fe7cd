import type { LogStore, LogWriter } from './ports.ts';

/** Transactions that share one, at most. */
const MOST = 64;

interface Share {
  readonly work: (log: LogWriter) => Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Transactions that are asked for while one is under way share the next (group commit): making one durable costs far more than what is
 * in it. Where a shared one fails for what one of them holds, each of them gets a transaction of its own.
 */
export class SharedWrites {
  readonly #store: Pick<LogStore, 'write'>;
  #waiting: Share[] = [];
  #busy = false;

  constructor(store: Pick<LogStore, 'write'>) {
    this.#store = store;
  }

  /** Resolves when what `work` wrote is durable. `work` may be called again after a failure. Rejects as `LogStore.write` does. */
  write(work: Share['work']): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject });
      if (!this.#busy) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) await this.#together(this.#waiting.splice(0, MOST));
    this.#busy = false;
  }

  async #together(shares: readonly Share[]): Promise<void> {
    try {
      await this.#store.write(async (log) => {
        for (const { work } of shares) await work(log);
      });
    } catch (error) {
      if (shares.length > 1 && !isAway(error)) for (const share of shares) await this.#together([share]);
      else for (const { reject } of shares) reject(error);
      return;
    }
    for (const { resolve } of shares) resolve();
  }
}

/** The database does not answer, or lacks what is nobody's own: nothing in it was refused, and asking again for each would only take longer. */
export const isAway = (error: unknown): boolean =>
  /^(?:UNAVAILABLE|DENIED)$/.test((error as { readonly code?: string } | null)?.code ?? '');
