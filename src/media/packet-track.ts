import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import type { AudioDisk } from './audio-disk.ts';
import { AudioFile } from './audio-file.ts';
import { CLOCK_RATE, CUT_REACH, type CapturedFile, type LineRole } from './capture.ts';
import { channelsOf, type Codec } from './codec.ts';
import { copyChannel } from './copy-channel.ts';
import { framingOf } from './framing.ts';
import type { Framing, KeptPacket } from './kept-packet.ts';
import { L16Framing } from './wav-framing.ts';
import { LinearMeter, type Levels } from './levels.ts';
import { MediaError } from './media-error.ts';
import type { PacketLane } from './packet-lane.ts';
import type { Mark, MarkedTrack } from './segment-marks.ts';

/** The header is brought up to date, and the file to the disk, when it grew by this much: 5 s. */
const HEADER_INTERVAL = 5 * CLOCK_RATE;

/** Silence written at once when a file begins late: a minute. */
const STEP = 60 * CLOCK_RATE;

const PAD = Buffer.alloc(1);

export interface PacketChannel {
  readonly line: number;
  readonly role: LineRole;
  /** Undefined until the leg sends in the codec of the track. */
  lane: PacketLane | undefined;
}

export interface PacketTrackPlan {
  readonly folder: string;
  readonly suffix: string;
  readonly codec: Codec;
  readonly channels: readonly PacketChannel[];
  /** Whether `cutBack` may be called: then what became final lately is kept in memory, too. */
  readonly mayBeCut?: boolean;
}

/** What the framing and the file agree on: everything before `octets` is hashed and stays. */
interface Final {
  readonly framing: Framing;
  readonly octets: number;
}

/** What a track is to become: the file of one channel. */
interface Alone {
  readonly channel: PacketChannel;
  readonly suffix: string;
}

/** How things stood before packets became final, and which these were, by channel. */
interface Before {
  readonly final: Final;
  readonly settled: number;
  readonly hash: Hash;
  readonly packets: readonly (readonly KeptPacket[])[];
}

/**
 * One file of packets that are not G.711. What is final is written once and hashed; what may still get a straggler is written behind it
 * at every flush, anew each time, so that a crash costs no more than the time between two flushes:
 *
 *     header | final, hashed ........ | written, may be rewritten ... | kept, not on disk
 */
export class PacketTrack implements MarkedTrack {
  readonly codec: Codec;
  readonly #plan: PacketTrackPlan;
  #channels: readonly PacketChannel[];
  #suffix: string;
  readonly #disk: AudioDisk;
  #hash = createHash('sha256');
  /** Oldest first, as far back as a cut can reach. */
  #before: Before[] = [];
  /** By line. */
  readonly #meters = new Map<number, LinearMeter>();
  #file: AudioFile | undefined;
  #final: Final;
  /** Position up to which everything is final. */
  #settled = 0;
  #changes = -1;
  /** End of the file. */
  #end = 0;
  #headerAt = 0;
  /** Its last octets are written: a second try begins behind them. */
  #ended = false;
  /** What the track is to become, until the file has been rewritten. */
  #alone: Alone | undefined;
  #isMarked = false;

  constructor(plan: PacketTrackPlan, disk: AudioDisk) {
    this.#plan = plan;
    this.#disk = disk;
    this.codec = plan.codec;
    this.#channels = plan.channels;
    this.#suffix = plan.suffix;
    const framing = framingOf(plan.codec, plan.channels.length);
    this.#final = { framing, octets: framing.headerBytes };
  }

  get channels(): readonly PacketChannel[] {
    return this.#channels;
  }

  /** Everything before this position cannot change. */
  get final(): number {
    return this.#settled;
  }

  /** Of linear samples; how loud others were is not known without decoding. */
  levelsOf(line: number): Levels | undefined {
    return this.#meters.get(line)?.levels;
  }

  get ending(): string {
    return `${this.#suffix === '' ? '' : `_${this.#suffix}`}.${this.#final.framing.extension}`;
  }

  /** As a track of G.711. */
  get isOpening(): boolean {
    return this.#file?.ready === false && this.#end === 0;
  }

  get finalBytes(): number {
    return this.#final.octets - this.#final.framing.headerBytes;
  }

  mark(): Mark | undefined {
    if (this.#file === undefined || this.#alone !== undefined) return undefined;
    this.#isMarked = true;
    return { bytes: this.finalBytes, sha256: this.#hash.copy().digest('hex') };
  }

  async synced(): Promise<void> {
    await this.#file?.synced();
  }

  /**
   * Makes the track a file of one of its channels, under another name; the others have never been heard. When it was stated what the
   * file is, it stays that, with silence in the others.
   */
  keepOnly(channel: PacketChannel, suffix: string): void {
    if (this.#isMarked) return;
    this.#alone = { channel, suffix };
    if (this.#file === undefined) this.#part(this.#channels.indexOf(channel), suffix);
  }

  /** Writes what came, but nothing behind `limit`, and makes final what is older than `final`. Returns whether it is done. Throws MediaError DISK and has lost nothing. */
  flush(_now: number, final: number, limit = Infinity): boolean {
    if (this.#file?.ready === false) return true;
    const file = this.#open();
    if (!file.ready) return false;
    const to = Math.max(this.#settled, Math.min(final, this.#settled + STEP));
    this.#finalise(file, to);
    this.#writeRest(file, limit);
    const { position } = this.#final.framing;
    if (position - this.#headerAt >= HEADER_INTERVAL) {
      this.#writeHeader(file, this.#end);
      this.#headerAt = position;
    }
    return to >= final;
  }

  /** Resolves when the disk has what was written. Rejects with MediaError DISK. */
  async settled(): Promise<void> {
    await this.#file?.settled();
  }

  /** Gives up what the disk refuses. Throws MediaError DISK where that is final already: then the next start has to put the file in order. */
  cut(): void {
    const reached = this.#file?.giveUp() ?? Infinity;
    if (reached < this.#final.octets)
      throw new MediaError(
        'DISK',
        `${this.#suffix}: the disk has ${reached} of ${this.#final.octets} octets`,
      );
  }

  /**
   * Makes the track end at `position`, which may be final already: goes back to before that and overwrites what lies behind it on the disk,
   * before `finish` cuts it off. Call it when everything is settled; may be called again. Returns true: it is done.
   */
  cutBack(position: number): boolean {
    const file = this.#file;
    const from = this.#before.findLastIndex(({ settled }) => settled <= position);
    const again = from < 0 || this.#settled <= position ? [] : this.#before.slice(from);
    const [first] = again;
    if (first !== undefined) {
      this.#final = first.final;
      this.#hash = first.hash;
      this.#settled = first.settled;
      this.#before = this.#before.slice(0, from);
    }
    this.channels.forEach(({ lane }, channel) => {
      if (lane === undefined) return;
      const packets = [...again.flatMap((step) => step.packets[channel] ?? []), ...lane.packets];
      const base = first === undefined ? lane.base : Math.min(lane.base, first.settled);
      lane.restore(
        base,
        packets.filter((packet) => packet.position + packet.ticks <= position),
      );
    });
    const { octets } = this.#final;
    if (file !== undefined && this.#end > octets)
      file.write(Buffer.alloc(this.#end - octets), this.#end - octets, octets);
    return true;
  }

  /** Begins to bring to the disk what was written. */
  startSync(): void {
    this.#file?.startSync();
  }

  /** Closes the file; `flush` has made everything final up to `total`. */
  async finish(_total: number): Promise<CapturedFile | undefined> {
    const file = this.#file;
    if (file === undefined) return undefined;
    if (!this.#ended) {
      const closing = this.#final.framing.clone();
      this.#commit(
        file,
        closing,
        collect((out) => {
          closing.close(true, out);
        }),
      );
      this.#ended = true;
    }
    const { framing, octets } = this.#final;
    this.#writeHeader(file, octets);
    file.truncate(octets);
    const padded = framing.headerBytes > 0 && octets % 2 === 1;
    if (padded) file.write(PAD, 1, octets);
    await file.finish();
    if (padded) this.#hash.update(PAD);
    return {
      path: file.path,
      suffix: this.#suffix,
      codec: this.codec.name,
      extension: framing.extension,
      rate: framing.rate,
      channelLines: this.#inFile.map((channel) => channel.line),
      channelRoles: this.#inFile.map((channel) => channel.role),
      samples: framing.position,
      bytes: octets + (padded ? 1 : 0),
      audioSha256: this.#hash.digest('hex'),
      audioOffset: framing.headerBytes,
    };
  }

  /** Lets go of the file without finishing it. */
  abandon(): void {
    this.#file?.close();
  }

  /** A packet may hold two channels of one leg. */
  get #inFile(): readonly PacketChannel[] {
    return this.#channels.flatMap((channel) =>
      new Array<PacketChannel>(channelsOf(this.codec)).fill(channel),
    );
  }

  #pathOf(suffix: string): string {
    const { extension } = this.#final.framing;
    return join(this.#plan.folder, `${suffix === '' ? 'audio' : suffix}.${extension}.part`);
  }

  #open(): AudioFile {
    if (this.#file !== undefined && this.#alone !== undefined) return this.#rewrite(this.#file, this.#alone);
    if (this.#file !== undefined) return this.#file;
    const file = new AudioFile(this.#pathOf(this.#suffix), this.#disk);
    try {
      this.#writeHeader(file, this.#final.octets);
    } catch (error) {
      file.remove();
      throw error;
    }
    this.#file = file;
    return file;
  }

  /** Leaves one leg of several, of which nothing is in a file. */
  #part(leg: number, suffix: string): void {
    const { framing, octets } = this.#final;
    if (framing instanceof L16Framing) this.#final = { framing: framing.only(leg), octets };
    this.#channels = this.#channels.slice(leg, leg + 1);
    this.#suffix = suffix;
    this.#alone = undefined;
    this.#changes = -1;
  }

  /**
   * Copies one channel of what is final into a new file and hashes it again; the rest is still in the lane. Happens when the second side turns
   * out to speak another codec, as a rule within the first seconds. The old file goes when the new one stands.
   */
  #rewrite(old: AudioFile, { channel, suffix }: Alone): AudioFile {
    const leg = this.#channels.indexOf(channel);
    const file = new AudioFile(this.#pathOf(suffix), this.#disk);
    const steps = [...this.#before.map(({ final }) => final.octets), this.#final.octets];
    let copied;
    try {
      copied = copyChannel(old, file, { steps, leg, legs: this.#channels.length });
      const { framing } = this.#final;
      file.write(framing.header(0), framing.headerBytes, 0);
    } catch (error) {
      file.remove();
      throw error;
    }
    const last = copied.pop();
    this.#before = this.#before.flatMap((step, at) => {
      const { framing } = step.final;
      const own = copied[at];
      if (own === undefined || !(framing instanceof L16Framing)) return [];
      const final = { framing: framing.only(leg), octets: own.octets };
      return [{ ...step, final, hash: own.hash, packets: step.packets.slice(leg, leg + 1) }];
    });
    this.#part(leg, suffix);
    if (last !== undefined) {
      this.#hash = last.hash;
      this.#final = { ...this.#final, octets: last.octets };
    }
    this.#end = this.#final.octets;
    this.#file = file;
    this.#writeHeader(file, this.#end);
    old.remove();
    return file;
  }

  #finalise(file: AudioFile, to: number): void {
    if (to <= this.#settled) return;
    const framing = this.#final.framing.clone();
    const counts = this.channels.map(
      ({ lane }) => lane?.packets.filter(({ position }) => position < to).length ?? 0,
    );
    const octets = collect((out) => {
      this.#write(framing, counts, out);
      framing.silence(to, out);
    });
    if (this.#plan.mayBeCut === true) this.#remember(to, counts);
    this.#commit(file, framing, octets);
    this.#settled = to;
    this.channels.forEach(({ lane }, at) => {
      if (lane === undefined) return;
      if (this.codec.keeping === 'l16') this.#measure(lane, counts[at] ?? 0);
      lane.drop(counts[at] ?? 0);
      lane.base = Math.max(lane.base, to);
    });
  }

  /** Of what is final, as it goes: the first `count` packets of a lane. */
  #measure(lane: PacketLane, count: number): void {
    let meter = this.#meters.get(lane.line);
    if (meter === undefined) this.#meters.set(lane.line, (meter = new LinearMeter()));
    for (const { octets } of lane.packets.slice(0, count)) meter.take(octets);
  }

  #remember(to: number, counts: readonly number[]): void {
    const oldest = to - (CUT_REACH * CLOCK_RATE) / 1000;
    const { length } = this.#before;
    const kept = this.#before.findIndex(
      (_step, at) => at + 1 === length || (this.#before[at + 1]?.settled ?? 0) > oldest,
    );
    if (kept > 0) this.#before.splice(0, kept);
    // A try that the disk refused left one behind.
    if (this.#before.at(-1)?.settled === this.#settled) this.#before.pop();
    const packets = this.channels.map(({ lane }, channel) => lane?.packets.slice(0, counts[channel]) ?? []);
    this.#before.push({ final: this.#final, settled: this.#settled, hash: this.#hash.copy(), packets });
  }

  #commit(file: AudioFile, framing: Framing, octets: Buffer): void {
    file.write(octets, octets.length, this.#final.octets);
    this.#hash.update(octets);
    this.#final = { framing, octets: this.#final.octets + octets.length };
    this.#end = Math.max(this.#end, this.#final.octets);
  }

  /** What is not final yet and stands before `limit`, as if it were. */
  #writeRest(file: AudioFile, limit: number): void {
    const changes = this.channels.reduce((sum, { lane }) => sum + (lane?.changes ?? 0), 0);
    if (changes === this.#changes && this.#end === this.#final.octets) return;
    const framing = this.#final.framing.clone();
    const counts = this.channels.map(
      ({ lane }) => lane?.packets.filter(({ position }) => position < limit).length ?? 0,
    );
    const octets = collect((out) => {
      this.#write(framing, counts, out);
      framing.close(false, out);
    });
    file.write(octets, octets.length, this.#final.octets);
    const end = this.#final.octets + octets.length;
    // A page of the last flush must not lie behind this one's.
    if (end < this.#end) file.truncate(end);
    this.#end = end;
    const isAll = this.channels.every(({ lane }, at) => (lane?.packets.length ?? 0) === counts[at]);
    this.#changes = isAll ? changes : -1;
  }

  /** The first `counts` packets of the channels. */
  #write(framing: Framing, counts: readonly number[], out: (octets: Uint8Array) => void): void {
    this.channels.forEach(({ lane }, channel) => {
      for (const packet of lane?.packets.slice(0, counts[channel]) ?? [])
        framing.packet(packet, channel, out);
    });
  }

  #writeHeader(file: AudioFile, end: number): void {
    const { framing } = this.#final;
    const header = framing.header(end - framing.headerBytes);
    file.write(header, header.length, 0);
  }
}

function collect(write: (out: (octets: Uint8Array) => void) => void): Buffer {
  const parts: Uint8Array[] = [];
  write((octets) => {
    parts.push(octets);
  });
  return Buffer.concat(parts);
}
