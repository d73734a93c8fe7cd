import { CLOCK_RATE } from './capture.ts';
import { timestampDistance } from './sequence.ts';

/** Interarrival jitter of one source, in ticks of CLOCK_RATE (RFC 3550 §6.4.1, A.8). */
export class Jitter {
  #arrival = NaN;
  #timestamp = 0;

  /** The running estimate. */
  value = 0;
  max = 0;

  /** `arrival`: when the packet came, in ticks on any clock. `clockRate`: of the timestamps. */
  take(arrival: number, timestamp: number, clockRate = CLOCK_RATE): void {
    const step = timestampDistance(this.#timestamp, timestamp);
    const difference =
      arrival - this.#arrival - (clockRate === CLOCK_RATE ? step : (step * CLOCK_RATE) / clockRate);
    this.#arrival = arrival;
    this.#timestamp = timestamp;
    if (Number.isNaN(difference)) return;
    this.value += (Math.abs(difference) - this.value) / 16;
    if (this.value > this.max) this.max = this.value;
  }

  /** Forgets the last packet: a new segment has no transit time in common with the old one. */
  interrupt(): void {
    this.#arrival = NaN;
  }
}
