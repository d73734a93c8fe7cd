import { CLOCK_RATE } from './capture.ts';

/** Packets of this long are looked at together: in 5 s at least one has come through without waiting anywhere. */
const WINDOW = 5 * CLOCK_RATE;

/** Less than 10 ms is jitter as likely as drift. */
const NOTICED = CLOCK_RATE / 100;

/**
 * How far the clock of a sender has run away from ours. Its packets then come later and later (a slow clock), or earlier and
 * earlier, than their timestamps say. Measured by the packets that were delayed least, in positions:
 *
 *     drift = least (arrival - position) of the last seconds - the same of the first seconds
 */
export class ClockDrift {
  /** What gaps have taken up so far, in samples; negative where they were shortened. */
  takenUp = 0;
  #baseline = NaN;
  #before = NaN;
  #least = Infinity;
  #windowEnd = NaN;

  /** A packet that stands at `position` came at `arrival`. */
  take(arrival: number, position: number): void {
    const delay = arrival - position;
    if (!(arrival < this.#windowEnd)) this.#turn(arrival);
    if (delay < this.#least) this.#least = delay;
  }

  /** Samples by which audio stands too early now; negative: too late. 0 while nobody can say. */
  get value(): number {
    const drift = Math.min(this.#before, this.#least) - this.#baseline;
    return Number.isFinite(drift) ? drift : 0;
  }

  /**
   * How much later (negative: earlier) the audio behind a gap of `gap` samples belongs; from here on it counts as taken up. A gap
   * grows as much as it has to and shrinks no further than to nothing.
   */
  correct(gap: number): number {
    const drift = this.value;
    if (Math.abs(drift) < NOTICED) return 0;
    const shift = Math.max(Math.round(drift), -gap);
    this.#before -= shift;
    this.#least -= shift;
    this.takenUp += shift;
    return shift;
  }

  /** The audio was moved by so many samples for another reason than drift. */
  rebase(by: number): void {
    this.#baseline -= by;
    this.#before -= by;
    this.#least -= by;
  }

  /** The next packet stands at its arrival: there is no drift any more. */
  restart(): void {
    this.#baseline = NaN;
    this.#before = NaN;
    this.#least = Infinity;
    this.#windowEnd = NaN;
  }

  #turn(arrival: number): void {
    this.#windowEnd = arrival + WINDOW;
    if (Number.isNaN(this.#baseline) && this.#least !== Infinity) this.#baseline = this.#least;
    if (this.#least !== Infinity) this.#before = this.#least;
    this.#least = Infinity;
  }
}
