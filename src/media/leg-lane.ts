import { SILENCE, type Law } from './g711.ts';
import { LegRing } from './leg-ring.ts';

/** What a lane tells the track that writes it. */
export interface LaneWriter {
  /** Octets from `position` on changed and have to be written (again). */
  touch(position: number): void;
}

/** The leg of a lane, as far as it matters to whoever writes it. */
export interface LaneSource {
  /** Nothing before this position can change any more, whatever arrives. */
  readonly whole: number;
}

/** The audio of one leg in one law: one channel of one file. */
export class LegLane {
  readonly line: number;
  readonly law: Law;
  readonly ring: LegRing;
  writer: LaneWriter | undefined;
  source: LaneSource | undefined;
  /** Packets that belong before this position come too late, even where nothing has been recorded. */
  floor: number;

  /** `limit`: as a ring's. */
  constructor(line: number, law: Law, base: number, limit?: number) {
    this.line = line;
    this.law = law;
    this.floor = base;
    this.ring = new LegRing(SILENCE[law], base, limit);
  }

  /** What is before this position is settled. */
  settle(position: number): void {
    if (position > this.floor) this.floor = position;
  }
}
