/** That somebody looked at the clock during this run of the process and said that it is right; see `jobs/clock-guard.ts`. */
export class ClockConfirmation {
  #at: number | undefined;

  /** When it was given, epoch milliseconds. */
  get at(): number | undefined {
    return this.#at;
  }

  give(at: number): void {
    this.#at = at;
  }
}
