import { SILENCE, type Law } from './g711.ts';
import { LegRing } from './leg-ring.ts';

/** What a lane tells the track that writes it. */
export interface LaneWriter {
  /** Octets from `position` on changed and have to be written (again). */
  touch(position: number): void;
}

/** The audio of one leg in one law: one channel of one file. */
export class LegLane {
  readonly line: number;
  readonly law: Law;
  readonly ring: LegRing;
  writer: LaneWriter | undefined;

  /** `limit`: as a ring's. */
  constructor(line: number, law: Law, base: number, limit?: number) {
    this.line = line;
    this.law = law;
    this.ring = new LegRing(SILENCE[law], base, limit);
  }
}
