import type { AudioDisk } from './audio-disk.ts';
import type { LineRole } from './capture.ts';
import type { LegLane } from './leg-lane.ts';
import { Track, type TrackChannel } from './track.ts';

/** A leg as far as its place in the files matters. */
export interface LaidOutLeg {
  readonly line: number;
  readonly role: LineRole;
}

type Side = 'caller' | 'callee';

/**
 * Which file and channel a leg's audio goes to. Nothing is ever converted, so a law is a property of a file:
 *
 * - caller and callee share one stereo file as long as both speak one law (left, right);
 * - when the second side to speak uses the other law, the stereo file becomes the first side's mono file (`caller` or
 *   `callee`) and the second gets a mono file of its own;
 * - a side whose partner has no line, and every other line, has a mono file;
 * - a leg that changes its law in mid-call goes on in an additional mono file (`caller-pcmu`), silent until then, while its
 *   old channel is silent from then on; changing back returns to the old channel.
 *
 * Every file starts at position 0, so files of one recording can be laid upon each other.
 */
export class TrackLayout {
  readonly #folder: string;
  readonly #disk: AudioDisk;
  readonly #tracks: Track[] = [];
  readonly #sides = new Map<Side, number>();
  /** Lines that have audio already. */
  readonly #heard = new Set<number>();
  #stereo: Track | undefined;
  /** The sides have gone separate ways. */
  #apart = false;
  #mainTaken = false;

  constructor(folder: string, disk: AudioDisk) {
    this.#folder = folder;
    this.#disk = disk;
  }

  get tracks(): readonly Track[] {
    return this.#tracks;
  }

  /** Makes a line known; of several callers or callees the first has the channel. */
  announce(leg: LaidOutLeg): void {
    if ((leg.role === 'caller' || leg.role === 'callee') && !this.#sides.has(leg.role))
      this.#sides.set(leg.role, leg.line);
  }

  /** Finds or makes the place for the first audio of a leg in a law. */
  place(leg: LaidOutLeg, lane: LegLane): Track {
    const side = this.#sideOf(leg);
    const track = this.#heard.has(leg.line)
      ? this.#mono(leg, lane, `${monoName(leg, side)}-${lane.law.toLowerCase()}`)
      : this.#placeFirst(leg, lane, side);
    this.#heard.add(leg.line);
    return track;
  }

  #placeFirst(leg: LaidOutLeg, lane: LegLane, side: Side | undefined): Track {
    if (side !== undefined) return this.#placeSide(leg, lane, side);
    if (leg.role !== 'mixed' || this.#mainTaken) return this.#mono(leg, lane, `line${leg.line}`);
    this.#mainTaken = true;
    return this.#mono(leg, lane, '');
  }

  #placeSide(leg: LaidOutLeg, lane: LegLane, side: Side): Track {
    if (this.#stereo === undefined && !this.#apart && this.#sides.size === 2)
      this.#stereo = this.#newStereo(lane);
    const stereo = this.#stereo;
    const own = stereo?.channels.find((channel) => channel.line === leg.line);
    if (stereo !== undefined && own !== undefined && stereo.law === lane.law) {
      own.lane = lane;
      return stereo;
    }
    const other = stereo?.channels.find((channel) => channel.line !== leg.line);
    if (other !== undefined) stereo?.keepOnly(other, other.role);
    this.#stereo = undefined;
    this.#apart = true;
    return this.#mono(leg, lane, side);
  }

  #newStereo(lane: LegLane): Track {
    const channels: TrackChannel[] = [];
    for (const role of ['caller', 'callee'] as const) {
      const line = this.#sides.get(role);
      if (line !== undefined) channels.push({ line, role, lane: undefined });
    }
    const suffix = this.#mainTaken ? 'stereo' : '';
    this.#mainTaken = true;
    return this.#add(new Track({ folder: this.#folder, suffix, law: lane.law, channels }, this.#disk));
  }

  #mono(leg: LaidOutLeg, lane: LegLane, suffix: string): Track {
    const channels = [{ line: leg.line, role: leg.role, lane }];
    return this.#add(new Track({ folder: this.#folder, suffix, law: lane.law, channels }, this.#disk));
  }

  #add(track: Track): Track {
    this.#tracks.push(track);
    return track;
  }

  #sideOf(leg: LaidOutLeg): Side | undefined {
    if (leg.role !== 'caller' && leg.role !== 'callee') return undefined;
    return this.#sides.get(leg.role) === leg.line ? leg.role : undefined;
  }
}

const monoName = (leg: LaidOutLeg, side: Side | undefined): string =>
  side ?? (leg.role === 'mixed' ? 'mixed' : `line${leg.line}`);
