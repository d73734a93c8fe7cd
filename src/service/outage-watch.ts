import type { OutageEvent } from '../recorder/events.ts';

/** Something without which calls are not recorded, or what is recorded does not get into the log. */
export interface OutageCause {
  /** A word for the log: `disk`, `media`. */
  readonly cause: string;
  /** Milliseconds for which it does not work; 0 while it does. What is not known more exactly counts from the moment it was noticed. */
  readonly outFor: () => number | Promise<number>;
  /** Milliseconds after which it counts. */
  readonly after: number;
}

export interface OutageWatchParts {
  readonly causes: readonly OutageCause[];
  /** Resolves when it is on disk, or waits for the disk; never rejects. */
  readonly state: (event: OutageEvent) => Promise<unknown>;
  /** Told when an outage is stated, and when it is over. */
  readonly onChange?: (cause: string, isOut: boolean) => void;
  /** While the recorder stops, its parts end on purpose. */
  readonly isStopping: () => boolean;
  readonly now: () => number;
  /** When the process before this one was last known to be alive, epoch milliseconds. */
  readonly lastAlive: number | undefined;
}

const LOOK_EVERY = 1000;

interface Outage {
  readonly since: number;
  isStated: boolean;
}

/**
 * States from when to when a part of the running recorder did not work (evidence.md 1.4, `outage`): its beginning at once, so that one
 * whose end nobody sees is in the log all the same, with the next start.
 */
export class OutageWatch {
  readonly #parts: OutageWatchParts;
  readonly #outages = new Map<string, Outage>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(parts: OutageWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    const { state, lastAlive, now } = this.#parts;
    // What the process before had begun to state ended with it, as far as anybody knows.
    void state({ type: 'outage', phase: 'unfinished', at: lastAlive ?? now() });
    // Keys that are missing from the start may be back within a second.
    void this.look();
    this.#timer ??= setInterval(() => void this.look(), LOOK_EVERY).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Asks every part once. Never rejects. A look that takes long is not begun a second time. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      for (const each of this.#parts.causes) await this.#ask(each);
    } finally {
      this.#looking = false;
    }
  }

  async #ask({ cause, outFor, after }: OutageCause): Promise<void> {
    const { now, isStopping, state, onChange } = this.#parts;
    const out = await Promise.resolve(outFor()).catch(() => 0);
    if (isStopping()) return;
    const known = this.#outages.get(cause);
    if (out === 0) {
      this.#outages.delete(cause);
      if (known?.isStated !== true) return;
      onChange?.(cause, false);
      await state({ type: 'outage', phase: 'over', cause, since: known.since, at: now() });
      return;
    }
    const outage = known ?? { since: now() - out, isStated: false };
    this.#outages.set(cause, outage);
    if (outage.isStated || now() - outage.since < after) return;
    outage.isStated = true;
    onChange?.(cause, true);
    await state({ type: 'outage', phase: 'begun', cause, since: outage.since, at: now() });
  }
}
