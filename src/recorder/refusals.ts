import type { RefusedEvent } from './events.ts';

export type Refusal = Pick<RefusedEvent, 'reason' | 'detail' | 'trunk' | 'callId'>;

/** A flood is stated once a minute (evidence.md 1.4, `refused`). */
const WINDOW = 60_000;

interface Flood {
  readonly since: number;
  readonly last: Refusal;
  readonly count: number;
}

/**
 * States refused calls: the first of a kind at once, those that follow within a minute together, with their number. So every
 * refusal is in the log and nobody can fill the disk by being refused.
 */
export class Refusals {
  readonly #publish: (event: RefusedEvent) => unknown;
  readonly #now: () => number;
  readonly #floods = new Map<string, Flood>();
  #timer: NodeJS.Timeout | undefined;

  constructor(publish: (event: RefusedEvent) => unknown, now: () => number) {
    this.#publish = publish;
    this.#now = now;
  }

  add(refusal: Refusal): void {
    const at = this.#now();
    const kind = `${refusal.reason} ${refusal.trunk ?? ''}`;
    void this.flush(at - WINDOW);
    const flood = this.#floods.get(kind);
    if (flood === undefined)
      void this.#publish({ type: 'refused', at, ...refusal, count: 1, windowSeconds: 0 });
    this.#floods.set(kind, {
      since: flood?.since ?? at,
      last: refusal,
      count: flood === undefined ? 0 : flood.count + 1,
    });
    this.#timer ??= setInterval(() => {
      void this.flush(this.#now() - WINDOW);
    }, WINDOW / 4).unref();
  }

  /** States what was counted since moments up to `until`; everything without it. Resolves when `publish` has done all of it. */
  async flush(until = Infinity): Promise<void> {
    const published: unknown[] = [];
    for (const [kind, { since, last, count }] of this.#floods) {
      if (since > until) continue;
      this.#floods.delete(kind);
      const at = this.#now();
      if (count > 0)
        published.push(
          this.#publish({
            type: 'refused',
            at,
            ...last,
            count,
            windowSeconds: Math.ceil((at - since) / 1000),
          }),
        );
    }
    if (this.#floods.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    await Promise.all(published);
  }
}
