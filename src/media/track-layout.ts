import type { AudioDisk } from './audio-disk.ts';
import type { LineRole } from './capture.ts';
import { channelsOf } from './codec.ts';
import type { LegLane } from './leg-lane.ts';
import type { PacketLane } from './packet-lane.ts';
import { PacketTrack, type PacketChannel } from './packet-track.ts';
import { Track, type TrackChannel } from './track.ts';

/** A leg as far as its place in the files matters. */
export interface LaidOutLeg {
  readonly line: number;
  readonly role: LineRole;
}

type Side = 'caller' | 'callee';

/** A file of a recording while it grows. */
export type AnyTrack = Track | PacketTrack;

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
 * - other codecs than G.711 have a file of their own for each leg; only linear samples of both sides share a stereo file, where both
 *   have the same rate and one channel: with the second side in another codec it becomes the first side's mono file. A leg whose packets
 *   hold two channels has a stereo file of its own. The dump of what has no file format is one for each leg, whatever is in it.
 *
 * Every file starts at position 0, so files of one recording can be laid upon each other.
 */
export class TrackLayout {
  readonly #folder: string;
  readonly #disk: AudioDisk;
  readonly #tracks: AnyTrack[] = [];
  readonly #sides = new Map<Side, number>();
  /** Lines that have audio already. */
  readonly #heard = new Set<number>();
  #stereo: Track | undefined;
  /** The stereo file of linear samples. */
  #linear: PacketTrack | undefined;
  /** The sides have gone separate ways. */
  #apart: boolean;
  #mainTaken = false;

  readonly #mayBeCut: boolean;

  /** `apart`: the sides have a file each from the beginning. `mayBeCut`: see `PacketTrackPlan`. */
  constructor(
    folder: string,
    disk: AudioDisk,
    plan: { readonly apart?: boolean; readonly mayBeCut?: boolean } = {},
  ) {
    this.#folder = folder;
    this.#disk = disk;
    this.#apart = plan.apart === true;
    this.#mayBeCut = plan.mayBeCut === true;
  }

  get tracks(): readonly AnyTrack[] {
    return this.#tracks;
  }

  /** Makes a line known; of several callers or callees the first has the channel. */
  announce(leg: LaidOutLeg): void {
    if ((leg.role === 'caller' || leg.role === 'callee') && !this.#sides.has(leg.role))
      this.#sides.set(leg.role, leg.line);
  }

  /** Takes a line's side away: the other has a mono file from now on, and of what it said before. */
  withdraw(line: number): void {
    const [side] = [...this.#sides].find(([, known]) => known === line) ?? [];
    if (side === undefined) return;
    this.#sides.delete(side);
    this.#partFrom(line);
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

  /** Finds or makes the place for the first packets of a leg in a codec that is not G.711. */
  placePackets(leg: LaidOutLeg, lane: PacketLane): PacketTrack {
    const side = this.#sideOf(leg);
    // A dump stands beside the audio and decides nothing: a stray packet of an unknown kind must not part the sides.
    const beside = lane.codec.keeping === 'dump' || this.#heard.has(leg.line);
    if (beside) return this.#packets(leg, lane, `${monoName(leg, side)}-${lane.codec.key}`);
    this.#heard.add(leg.line);
    if (side !== undefined) return this.#placeSidePackets(leg, lane, side);
    if (leg.role !== 'mixed' || this.#mainTaken) return this.#packets(leg, lane, `line${leg.line}`);
    this.#mainTaken = true;
    return this.#packets(leg, lane, '');
  }

  #placeSidePackets(leg: LaidOutLeg, lane: PacketLane, side: Side): PacketTrack {
    const shared = this.#linear?.channels.find((channel) => channel.line === leg.line);
    if (this.#linear !== undefined && shared !== undefined && this.#linear.codec.key === lane.codec.key) {
      shared.lane = lane;
      return this.#linear;
    }
    const alone = this.#stereo === undefined && !this.#apart && this.#sides.size === 2;
    this.#partFrom(leg.line);
    if (!alone || lane.codec.keeping !== 'l16' || channelsOf(lane.codec) > 1)
      return this.#packets(leg, lane, side);
    const channels = this.#sideLines().map(({ role, line }) => ({
      role,
      line,
      lane: line === leg.line ? lane : undefined,
    }));
    this.#linear = this.#packetTrack(this.#mainTaken ? 'stereo' : '', lane, channels);
    this.#mainTaken = true;
    return this.#linear;
  }

  #packets(leg: LaidOutLeg, lane: PacketLane, suffix: string): PacketTrack {
    return this.#packetTrack(suffix, lane, [{ line: leg.line, role: leg.role, lane }]);
  }

  #packetTrack(suffix: string, lane: PacketLane, channels: readonly PacketChannel[]): PacketTrack {
    const plan = { folder: this.#folder, suffix, codec: lane.codec, channels, mayBeCut: this.#mayBeCut };
    const track = new PacketTrack(plan, this.#disk);
    this.#tracks.push(track);
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
    this.#partFrom(leg.line);
    return this.#mono(leg, lane, side);
  }

  /** This side and the other cannot share a file any more: the other one has what there is to itself. */
  #partFrom(line: number): void {
    const other = this.#stereo?.channels.find((channel) => channel.line !== line);
    if (other !== undefined) this.#stereo?.keepOnly(other, other.role);
    const linear = this.#linear?.channels.find((channel) => channel.line !== line);
    if (linear !== undefined) this.#linear?.keepOnly(linear, linear.role);
    this.#stereo = undefined;
    this.#linear = undefined;
    this.#apart = true;
  }

  #newStereo(lane: LegLane): Track {
    const channels: TrackChannel[] = this.#sideLines().map((side) => ({ ...side, lane: undefined }));
    const suffix = this.#mainTaken ? 'stereo' : '';
    this.#mainTaken = true;
    return this.#add(new Track({ folder: this.#folder, suffix, law: lane.law, channels }, this.#disk));
  }

  #sideLines(): readonly { readonly role: Side; readonly line: number }[] {
    return (['caller', 'callee'] as const).flatMap((role) => {
      const line = this.#sides.get(role);
      return line === undefined ? [] : [{ role, line }];
    });
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
