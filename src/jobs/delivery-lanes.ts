import type { UploadJob } from './upload.ts';
import { DeliveryLane, type LaneDeps, type Turn } from './delivery-lane.ts';

export interface LanesDeps extends Omit<LaneDeps, 'parallel'> {
  /** Uploads at a time to a destination; one that is in the log but no longer in the configuration gets one. */
  readonly parallel: ReadonlyMap<string, number>;
}

/** Recordings that one job delivers, so that it ends some time. */
const MOST_OF_A_JOB = 100;
/** Recordings of one job whose files are copied while that is not in the log yet, at most. */
const MOST_UNFINISHED = 8;
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
   * Turns for one job of a queue, until there is none to be had: resolves with the recordings that had them, and rejects with what kept one from
   * arriving. The next begins when the files of the one before are copied: what is left then is shared by all that come to it together.
   */
  async deliver(destination: string, signal: AbortSignal): Promise<readonly string[]> {
    this.#askedOf(destination).shift();
    const lane = this.#of(destination);
    const turns: Promise<Turn | undefined>[] = [];
    const unfinished = new Set<Promise<unknown>>();
    let isMore = true;
    while (isMore && turns.length < MOST_OF_A_JOB && !signal.aborted) {
      while (unfinished.size >= MOST_UNFINISHED) await Promise.race(unfinished);
      isMore = await new Promise<boolean>((resolve) => {
        const turn = lane.turn(signal, () => {
          resolve(true);
        });
        turns.push(turn);
        const over = turn.then(
          (had) => had !== undefined && had.error === undefined,
          () => false,
        );
        unfinished.add(over);
        void over.then((arrived) => {
          unfinished.delete(over);
          resolve(arrived);
        });
      });
    }
    return this.#outcomeOf(lane, await Promise.all(turns), isMore && !signal.aborted);
  }

  /** The recordings that arrived. Throws what kept one from it. */
  #outcomeOf(
    lane: DeliveryLane,
    turns: readonly (Turn | undefined)[],
    mayHaveMore: boolean,
  ): readonly string[] {
    const error = turns.find((turn) => turn?.error !== undefined)?.error;
    // What waits behind one that was set aside had counted on this job.
    if (error === undefined ? mayHaveMore : !lane.failing) this.#deps.wake();
    if (error !== undefined) throw error;
    return turns.flatMap((turn) => (turn === undefined ? [] : turn.recording));
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
