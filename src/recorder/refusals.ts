import type { RefusedEvent } from './events.ts';

export type Refusal = Pick<RefusedEvent, 'reason' | 'detail' | 'trunk' | 'callId'>;

/** Where refusals that are counted and not yet stated survive the end of the process. */
export interface RefusalBook {
  /** Puts these in place of what was there before. One at a time; a failure costs a figure, no call. */
  write(counted: readonly RefusedEvent[]): Promise<void>;
}

export interface RefusalParts {
  readonly publish: (event: RefusedEvent) => unknown;
  readonly now: () => number;
  readonly book?: RefusalBook | undefined;
}

/** A flood is stated once a minute (evidence.md 1.4, `refused`). */
const WINDOW = 60_000;
/** Milliseconds for which counts may be in memory alone. */
const BOOKED_WITHIN = 1000;

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
  readonly #parts: RefusalParts;
  readonly #floods = new Map<string, Flood>();
  #timer: NodeJS.Timeout | undefined;
  #booking: NodeJS.Timeout | undefined;
  #booked: Promise<void> = Promise.resolve();

  constructor(parts: RefusalParts) {
    this.#parts = parts;
  }

  add(refusal: Refusal): void {
    const at = this.#parts.now();
    const kind = `${refusal.reason} ${refusal.trunk ?? ''}`;
    void this.flush(at - WINDOW);
    const flood = this.#floods.get(kind);
    if (flood === undefined)
      void this.#parts.publish({ type: 'refused', at, ...refusal, count: 1, windowSeconds: 0 });
    else this.#bookSoon();
    this.#floods.set(kind, {
      since: flood?.since ?? at,
      last: refusal,
      count: flood === undefined ? 0 : flood.count + 1,
    });
    this.#timer ??= setInterval(() => {
      void this.flush(this.#parts.now() - WINDOW);
    }, WINDOW / 4).unref();
  }

  /** States what was counted since moments up to `until`; everything without it. Resolves when `publish` has done all of it. */
  async flush(until = Infinity): Promise<void> {
    const over = [...this.#floods].filter(([, { since }]) => since <= until);
    for (const [kind] of over) this.#floods.delete(kind);
    const counted = over.map(([, flood]) => flood).filter(({ count }) => count > 0);
    const published = counted.map((flood) => this.#parts.publish(this.#eventOf(flood)));
    if (this.#floods.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    await Promise.all(published);
    // Rather counted twice by a crash at this moment than not at all.
    if (published.length > 0) await this.#book();
  }

  #eventOf({ since, last, count }: Flood): RefusedEvent {
    const at = this.#parts.now();
    return { type: 'refused', at, ...last, count, windowSeconds: Math.ceil((at - since) / 1000) };
  }

  #bookSoon(): void {
    if (this.#parts.book === undefined) return;
    this.#booking ??= setTimeout(() => void this.#book(), BOOKED_WITHIN).unref();
  }

  #book(): Promise<void> {
    clearTimeout(this.#booking);
    this.#booking = undefined;
    this.#booked = this.#booked.then(async () => {
      const counted = [...this.#floods.values()].filter(({ count }) => count > 0);
      await this.#parts.book?.write(counted.map((flood) => this.#eventOf(flood))).catch(() => undefined);
    });
    return this.#booked;
  }
}
