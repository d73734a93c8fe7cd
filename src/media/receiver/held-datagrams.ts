import { newRun, passOn, type Taker } from './pass-on.ts';

/** Held at most: as many as come between two sweeps, and some. */
const SLOTS = 32;
/** Room for a datagram: 30 ms of G.711, encrypted too. What is longer is passed on at once. */
const SLOT_BYTES = 288;

/**
 * Datagrams of one sender, with their times, that wait to be passed on together: a leg that takes in a dozen at once has what it needs for that in
 * the caches, and one after the other it never has.
 */
export class HeldDatagrams {
  readonly #run = newRun(SLOTS, SLOT_BYTES);
  #count = 0;
  #isPassing = false;

  /** Keeps a copy of a datagram; false where it has no room or comes from another sender: then those held go first. */
  hold(datagram: Buffer, at: number, sourceKey: number): boolean {
    const run = this.#run;
    const slot = this.#count;
    if (datagram.length > SLOT_BYTES || slot === SLOTS || this.#isPassing) return false;
    if (slot > 0 && sourceKey !== run.sourceKey) return false;
    run.slab.set(datagram, slot * SLOT_BYTES);
    run.lengths[slot] = datagram.length;
    run.times[slot] = at;
    run.sourceKey = sourceKey;
    this.#count = slot + 1;
    return true;
  }

  /** Passes on what is held, unless that is being done. */
  pass(taker: Taker): void {
    if (this.#isPassing) return;
    this.#isPassing = true;
    passOn(this.#run, taker, 0, this.#count);
    this.#count = 0;
    this.#isPassing = false;
  }
}
