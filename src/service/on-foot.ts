import type { DeliveryLanes } from '../jobs/delivery-lanes.ts';
import type { Log } from '../log.ts';

/** Takes turns at destinations without a queue, one destination beside the other: one that hangs holds up nobody but itself. */
export class OnFoot {
  readonly #lanes: Pick<DeliveryLanes, 'turn' | 'parallel'>;
  readonly #log: Log;
  readonly #walkers = new Map<string, Set<Promise<void>>>();

  constructor(lanes: Pick<DeliveryLanes, 'turn' | 'parallel'>, log: Log) {
    this.#lanes = lanes;
    this.#log = log;
  }

  /** Sends as many walkers to each destination there are uploads for as it takes at a time; they go on until there is no turn to be had. */
  begin(uploads: readonly { readonly destination: string }[], signal: AbortSignal): void {
    for (const destination of new Set(uploads.map((each) => each.destination))) {
      const here = this.#walkers.get(destination) ?? new Set();
      this.#walkers.set(destination, here);
      while (here.size < this.#lanes.parallel(destination)) {
        const walker = this.#walk(destination, signal).finally(() => here.delete(walker));
        here.add(walker);
      }
    }
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all([...this.#walkers.values()].flatMap((here) => [...here]));
  }

  async #walk(destination: string, signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const turn = await this.#lanes.turn(destination, signal);
        if (turn === undefined) return;
        const { recording, error } = turn;
        if (error !== undefined)
          this.#log('warn', 'upload failed', { destination, recording, error: String(error) });
      }
    } catch (error) {
      this.#log('error', 'upload failed', { destination, error: String(error) });
    }
  }
}
