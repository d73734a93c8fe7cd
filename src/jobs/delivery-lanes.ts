import type { UploadJob } from './upload.ts';
import { DeliveryLane, type LaneDeps, type Turn } from './delivery-lane.ts';

export interface LanesDeps extends Omit<LaneDeps, 'parallel'> {
  /** Uploads at a time to a destination; one that is in the log but no longer in the configuration gets one. */
  readonly parallel: ReadonlyMap<string, number>;
}

/** Recordings that one job delivers, so that it ends some time. */
const MOST_OF_A_JOB = 100;
/** Milliseconds after which nobody counts on a job that was asked for. */
const FORGOTTEN_AFTER = 5000;

/** The ways to all destinations. */
export class DeliveryLanes {
  readonly #deps: LanesDeps;
  readonly #lanes = new Map<string, DeliveryLane>();
  readonly #asked = new Map<string, number[]>();

  constructor(deps: LanesDeps) {
    this.#deps = deps;
  }

  /** See `DeliveryLane.turn`. */
  turn(destination: string, signal: AbortSignal): Promise<Turn | undefined> {
    return this.#of(destination).turn(signal);
  }

  /**
   * Turns for one job of a queue, one after the other until there is none to be had: resolves with the recordings that had them, and rejects with
   * what kept one from arriving.
   */
  async deliver(destination: string, signal: AbortSignal): Promise<readonly string[]> {
    this.#askedOf(destination).shift();
    const recordings: string[] = [];
    while (recordings.length < MOST_OF_A_JOB && !signal.aborted) {
      const turn = await this.turn(destination, signal);
      if (turn === undefined) return recordings;
      if (turn.error !== undefined) {
        // What waits behind one that was set aside had counted on this job.
        if (!this.#of(destination).failing) this.#deps.wake();
        throw turn.error;
      }
      recordings.push(turn.recording);
    }
    if (!signal.aborted) this.#deps.wake();
    return recordings;
  }

  /**
   * Whether a job is to be asked for, since something new may be delivered: not while the destination rests, nor while as many jobs as it takes
   * at a time were asked for and have not begun. Those will find it.
   */
  wants(destination: string): boolean {
    if (this.room(destination) === 0) return false;
    const asked = this.#askedOf(destination);
    const now = this.#deps.now();
    // The queue may have forgotten them.
    while (asked[0] !== undefined && now - asked[0] > FORGOTTEN_AFTER) asked.shift();
    if (asked.length >= this.parallel(destination)) return false;
    asked.push(now);
    return true;
  }

  /** The jobs to be asked for when a recording may be delivered. */
  jobsFor(recording: string): readonly UploadJob[] {
    return [...this.#deps.parallel.keys()]
      .filter((destination) => this.wants(destination))
      .map((destination) => ({ recording, destination }));
  }

  /** How many turns at a destination may be asked for at once: one while it is tried again, none while it rests. */
  room(destination: string): number {
    const { failing, free, parallel } = this.#of(destination);
    return failing ? free : parallel;
  }

  /** Turns at a time. */
  parallel(destination: string): number {
    return this.#of(destination).parallel;
  }

  /** Somebody may have helped: one destination, or all, are tried again at once. */
  retry(destination: string | undefined): void {
    for (const [name, lane] of this.#lanes)
      if (destination === undefined || name === destination) lane.retry();
  }

  /** Resolves when what is under way now is over. */
  async idle(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => lane.idle()));
  }

  close(): void {
    for (const lane of this.#lanes.values()) lane.close();
  }

  /** When jobs were asked for that have not begun, oldest first. */
  #askedOf(destination: string): number[] {
    const known = this.#asked.get(destination) ?? [];
    this.#asked.set(destination, known);
    return known;
  }

  #of(destination: string): DeliveryLane {
    const known = this.#lanes.get(destination);
    if (known !== undefined) return known;
    const parallel = this.#deps.parallel.get(destination) ?? 1;
    const lane = new DeliveryLane(destination, { ...this.#deps, parallel });
    this.#lanes.set(destination, lane);
    return lane;
  }
}
