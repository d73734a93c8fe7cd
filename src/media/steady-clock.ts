/** A difference between two clocks that grows faster than this, in ms, is a step and no drift. */
const STEP = 250;

/** A packet's time this far, in ms, from the last look at the clock was stamped on the other side of a step. */
const PLAUSIBLE = 60_000;

/**
 * Wall-clock times without the steps: somebody sets the clock in mid-call, and the timeline must not notice. Slow corrections
 * (NTP slewing) pass through. All times in epoch milliseconds.
 */
export class SteadyClock {
  readonly #monotonic: () => number;
  #wall: number;
  #monotonicThen: number;
  /** Sum of all steps so far. */
  #stepped = 0;

  /** `monotonic`: milliseconds from any start, never set by anybody. */
  constructor(wall: number, monotonic: () => number) {
    this.#monotonic = monotonic;
    this.#wall = wall;
    this.#monotonicThen = monotonic();
  }

  /** Looks at the clock; call it often. Returns the steady time. */
  update(wall: number): number {
    const monotonic = this.#monotonic();
    const drift = wall - this.#wall - (monotonic - this.#monotonicThen);
    if (Math.abs(drift) > STEP) this.#stepped += drift;
    this.#wall = wall;
    this.#monotonicThen = monotonic;
    return wall - this.#stepped;
  }

  /** The steady time of a moment near the last update. */
  steady(wall: number): number {
    const plausible = Math.abs(wall - this.#wall) < PLAUSIBLE;
    return (plausible ? wall : this.#wall) - this.#stepped;
  }
}
