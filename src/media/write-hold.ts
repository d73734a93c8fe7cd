import { CLOCK_RATE, CUT_REACH, KEY_PAUSE } from './capture.ts';

/** What a key is late by: the sweep of the sockets, and whoever decides what the keys mean. */
const LATE = 500;

interface Begun {
  readonly from: number;
  readonly until: number;
}

/**
 * From where on nothing is written for now: somebody has pressed the first key of those by which a recording is stopped, and what is said from
 * there on must not reach the disk when the others follow. When they do not in time, it is written after all. Positions of a capture.
 */
export class WriteHold {
  readonly #first: string | undefined;
  readonly #span: number;
  #begun: readonly Begun[] = [];

  /** `keys`: the sequence; without one nothing is ever held back. `most`: seconds of audio for which there is room in memory. */
  constructor(keys: string | undefined, most: number) {
    this.#first = keys?.[0];
    const patience = Math.min((keys?.length ?? 0) * KEY_PAUSE - KEY_PAUSE, CUT_REACH / 2) + LATE;
    this.#span = (Math.min(patience, Math.max(0, most) * 1000) * CLOCK_RATE) / 1000;
  }

  /** A key went down at a position, on whatever line. */
  press(key: string, from: number): void {
    if (key === this.#first) this.#begun = [...this.#begun, { from, until: from + this.#span }];
  }

  /** The position up to which may be written at `now`; Infinity as a rule. */
  limit(now: number): number {
    if (this.#begun.length === 0) return Infinity;
    this.#begun = this.#begun.filter(({ until }) => until > now);
    return this.#begun.reduce((least, { from }) => Math.min(least, from), Infinity);
  }
}
