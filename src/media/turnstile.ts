type Work = (leave: () => void) => void;

/** Lets so much work be under way at once, the rest in order of arrival. */
export class Turnstile {
  readonly #limit: number;
  readonly #now: () => number;
  readonly #inside = new Set<{ readonly since: number }>();
  #queue: Work[] = [];

  /** `now`: milliseconds of a clock that only goes forward. */
  constructor(limit: number, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  /** Milliseconds for which the oldest work has been under way; 0 when there is none. */
  get longest(): number {
    const [oldest] = this.#inside;
    return oldest === undefined ? 0 : this.#now() - oldest.since;
  }

  /** Begins the work as soon as there is room; it calls `leave` once, when it is done. */
  enter(work: Work): void {
    if (this.#inside.size < this.#limit) this.#begin(work);
    else this.#queue.push(work);
  }

  #begin(work: Work): void {
    const visit = { since: this.#now() };
    this.#inside.add(visit);
    work(() => {
      if (!this.#inside.delete(visit)) return;
      const next = this.#queue.shift();
      if (next !== undefined) this.#begin(next);
    });
  }
}
