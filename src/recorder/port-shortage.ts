/** A port rests for 10 s after a call: when nobody was refused for so long, those of ended calls can be had again. */
const PASSED_AFTER = 15_000;

/** From when to when calls were refused because no media port was free. */
export class PortShortage {
  readonly #now: () => number;
  #since: number | undefined;
  #refusedAt = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Since when, epoch milliseconds; undefined while calls get their ports. */
  get since(): number | undefined {
    if (this.#now() - this.#refusedAt > PASSED_AFTER) this.#since = undefined;
    return this.#since;
  }

  refused(): void {
    this.#refusedAt = this.#now();
    this.#since ??= this.#refusedAt;
  }

  /** A call got its ports. */
  served(): void {
    this.#since = undefined;
  }
}
