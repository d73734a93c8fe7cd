import { isIPv6 } from 'node:net';

/** `pass`: within the rate. `refuse`: beyond it, but an answer can be afforded. `drop`: far beyond. */
export type Verdict = 'pass' | 'refuse' | 'drop';

interface Bucket {
  left: number;
  filledAt: number;
}

/** Addresses remembered; the oldest is forgotten for a new one. */
const MOST_SOURCES = 10_000;

/**
 * A token bucket for each source: so many a second, and a second's worth at once. Answers are given for as many again, so that
 * a client that is only too fast learns it, while a flood with false addresses is not doubled.
 */
export class SourceRates {
  readonly #perSecond: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond;
    this.#now = now;
  }

  /** Counts one thing from this address. */
  take(address: string): Verdict {
    const bucket = this.#bucketOf(sourceOf(address));
    if (bucket.left <= -this.#perSecond) return 'drop';
    bucket.left -= 1;
    return bucket.left >= 0 ? 'pass' : 'refuse';
  }

  #bucketOf(source: string): Bucket {
    const now = this.#now();
    const known = this.#buckets.get(source);
    if (known !== undefined) {
      const gained = ((now - known.filledAt) / 1_000) * this.#perSecond;
      known.left = Math.min(this.#perSecond, known.left + gained);
      known.filledAt = now;
      return known;
    }
    const fresh = { left: this.#perSecond, filledAt: now };
    this.#buckets.set(source, fresh);
    const oldest = this.#buckets.keys().next();
    if (this.#buckets.size > MOST_SOURCES && oldest.done !== true) this.#buckets.delete(oldest.value);
    return fresh;
  }
}

/** An IPv6 host has a whole /64 of addresses to itself. */
function sourceOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':').filter((group) => group !== '');
  if (tail !== undefined) {
    const after = tail.split(':').filter((group) => group !== '').length;
    while (groups.length + after < 8) groups.push('0');
  }
  return groups.slice(0, 4).join(':');
}
