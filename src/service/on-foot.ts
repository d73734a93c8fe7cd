/** Uploads to one destination at a time. */
const ABREAST = 4;

/**
 * Does uploads without a queue, destination by destination: one that hangs holds up nobody but itself. Work handed in for a
 * destination that is still busy with earlier work is left to the next round.
 */
export class OnFoot<Job extends { readonly destination: string }> {
  readonly #work: (job: Job, signal: AbortSignal) => Promise<void>;
  readonly #busy = new Map<string, Promise<void>>();

  /** `work` must not reject. */
  constructor(work: (job: Job, signal: AbortSignal) => Promise<void>) {
    this.#work = work;
  }

  /** Begins what can be begun. */
  begin(jobs: readonly Job[], signal: AbortSignal): void {
    for (const destination of new Set(jobs.map((job) => job.destination))) {
      if (this.#busy.has(destination)) continue;
      const own = jobs.filter((job) => job.destination === destination);
      const lane = this.#walk(own, signal).finally(() => this.#busy.delete(destination));
      this.#busy.set(destination, lane);
    }
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#busy.values());
  }

  async #walk(jobs: readonly Job[], signal: AbortSignal): Promise<void> {
    const left = jobs.values();
    const walker = async (): Promise<void> => {
      for (const job of left) {
        if (signal.aborted) return;
        await this.#work(job, signal);
      }
    };
    await Promise.all(Array.from({ length: ABREAST }, walker));
  }
}
