/** Legs listed of each kind, the newest. */
const LISTED = 10;

/** A leg that lost audio through the fault of this machine. */
export interface TroubledLeg {
  /** Recording and leg, for example `20261126T101500-1a2b3c caller`. */
  readonly leg: string;
  /** `dropped`: not fetched from the kernel in time; `unwritten`: not taken by the disk. */
  readonly cause: 'dropped' | 'unwritten';
  readonly packets: number;
  /** When the last of them were noticed, epoch milliseconds. */
  readonly at: number;
}

/** What is counted of a leg. */
interface CountedLeg {
  readonly line: number;
  readonly role: string;
  readonly unwritten?: number;
}

/** Remembers which legs lost audio last, so that an alarm about the total can say whose. */
export class TroubledLegs {
  readonly #legs = new Map<string, TroubledLeg>();

  /** Takes the present counts of a recording; `dropped` gives those of a line. */
  take(
    recording: string,
    legs: readonly CountedLeg[],
    dropped: (line: number) => number | undefined,
    at: number,
  ): void {
    for (const { line, role, unwritten = 0 } of legs) {
      const leg = `${recording} ${role === 'extra' ? `line ${line}` : role}`;
      this.#note({ leg, cause: 'dropped', packets: dropped(line) ?? 0, at });
      this.#note({ leg, cause: 'unwritten', packets: unwritten, at });
    }
  }

  /** One that has not grown changes nothing. */
  #note(troubled: TroubledLeg): void {
    const { leg, cause, packets } = troubled;
    const key = `${cause} ${leg}`;
    if (packets <= (this.#legs.get(key)?.packets ?? 0)) return;
    // Again at the end: the oldest goes first.
    this.#legs.delete(key);
    this.#legs.set(key, troubled);
    const same = [...this.#legs].filter(([, other]) => other.cause === cause);
    if (same.length > LISTED) this.#legs.delete(same[0]?.[0] ?? '');
  }

  /** At most ten of each cause, the oldest first. */
  get list(): readonly TroubledLeg[] {
    return [...this.#legs.values()];
  }
}
