import { CLOCK_RATE } from './capture.ts';
import type { SteadyClock } from './steady-clock.ts';

/** Where the moments of a recording stand in it: position 0 is its start. An object of its own, as the receiver asks it for every packet. */
export class Timeline {
  /** Steady time of position 0. */
  readonly origin: number;
  readonly #startedAt: number;
  readonly #clock: SteadyClock;

  /** `startedAt`: wall clock. */
  constructor(clock: SteadyClock, startedAt: number) {
    this.#startedAt = startedAt;
    this.#clock = clock;
    this.origin = clock.steady(startedAt);
  }

  /** Position of a time of the wall clock. */
  positionOf(at: number): number {
    return this.positionAt(this.#clock.steady(at));
  }

  /** Position of a steady time. */
  positionAt(steady: number): number {
    return Math.max(0, Math.round((steady - this.origin) * (CLOCK_RATE / 1000)));
  }

  /** Ticks from the start to a moment of any clock (epoch ms); may be negative. */
  ticksOf(moment: number): number {
    return (moment - this.#startedAt) * (CLOCK_RATE / 1000);
  }
}
