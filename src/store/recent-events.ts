import type { NumberedEvent } from '../jobs/ports.ts';

/** What was appended last, as JSON by number: nearly every event is asked for within a second, and need not be read from the disk for that. */
export class RecentEvents {
  readonly #most: number;
  readonly #events: { readonly sequence: number; readonly json: string }[] = [];
  #octets = 0;

  /** `most`: characters of JSON kept; older events go first. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Adds the next event that is on disk; numbers must rise. */
  add(sequence: number, json: string): void {
    this.#events.push({ sequence, json });
    this.#octets += json.length;
    if (this.#octets <= this.#most) return;
    let gone = 0;
    // By a quarter: cutting one at a time would move all the others each time.
    while (gone < this.#events.length && this.#octets > this.#most * 0.75)
      this.#octets -= this.#events[gone++]?.json.length ?? 0;
    this.#events.splice(0, gone);
  }

  /** The events after `sequence`, at most `limit`; undefined when not all of them may be here. */
  after(sequence: number, limit: number): readonly NumberedEvent[] | undefined {
    const [first] = this.#events;
    if (first === undefined || first.sequence > sequence + 1) return undefined;
    const from = this.#events.findIndex((event) => event.sequence > sequence);
    if (from === -1) return [];
    return this.#events.slice(from, from + limit).map(({ sequence: number, json }) => ({
      sequence: number,
      event: JSON.parse(json) as NumberedEvent['event'],
    }));
  }

  /** Nobody asks for events up to `sequence` any more. */
  forget(sequence: number): void {
    const left = this.#events.findIndex((event) => event.sequence > sequence);
    for (const { json } of this.#events.splice(0, left === -1 ? this.#events.length : left))
      this.#octets -= json.length;
  }
}
