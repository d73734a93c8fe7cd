import { DeliveryLane, type LaneDeps, type Turn } from './delivery-lane.ts';

export interface LanesDeps extends Omit<LaneDeps, 'parallel'> {
  /** Uploads at a time to a destination; one that is in the log but no longer in the configuration gets one. */
  readonly parallel: ReadonlyMap<string, number>;
}

/** The ways to all destinations. */
export class DeliveryLanes {
  readonly #deps: LanesDeps;
  readonly #lanes = new Map<string, DeliveryLane>();

  constructor(deps: LanesDeps) {
    this.#deps = deps;
  }

  /** See `DeliveryLane.turn`. */
  turn(destination: string, signal: AbortSignal): Promise<Turn | undefined> {
    return this.#of(destination).turn(signal);
  }

  /** One turn, for a queue: resolves with the recording that had it, and rejects with what kept it from arriving. */
  async deliver(destination: string, signal: AbortSignal): Promise<string | undefined> {
    const turn = await this.turn(destination, signal);
    if (turn?.error !== undefined) throw turn.error;
    return turn?.recording;
  }

  /** How many turns at a destination may be asked for: one while it is tried again, none while it rests, else as many as there are recordings. */
  room(destination: string): number {
    const { failing, free } = this.#of(destination);
    return failing ? free : Infinity;
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

  #of(destination: string): DeliveryLane {
    const known = this.#lanes.get(destination);
    if (known !== undefined) return known;
    const parallel = this.#deps.parallel.get(destination) ?? 1;
    const lane = new DeliveryLane(destination, { ...this.#deps, parallel });
    this.#lanes.set(destination, lane);
    return lane;
  }
}
