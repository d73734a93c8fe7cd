import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { AudioDisk } from './audio-disk.ts';
import { CLOCK_RATE, type CapturedFile, type LineRole } from './capture.ts';
import { SILENCE, type Law } from './g711.ts';
import { interleave, pickChannel, samplesAtOnce, scratch } from './interleave.ts';
import { LevelMeter, type Levels } from './levels.ts';
import type { LaneWriter, LegLane } from './leg-lane.ts';
import type { Mark, MarkedTrack } from './segment-marks.ts';
import { WavFile } from './wav-file.ts';
import { WAV_HEADER_BYTES } from './wav-header.ts';

/** The header is brought up to date when the file grew by this much: 5 s. */
const HEADER_INTERVAL = 5 * CLOCK_RATE;

const PAD = Buffer.alloc(1);

export interface TrackChannel {
  readonly line: number;
  readonly role: LineRole;
  /** Undefined until the leg sends in the law of the track. */
  lane: LegLane | undefined;
}

export interface TrackPlan {
  readonly folder: string;
  readonly suffix: string;
  readonly law: Law;
  readonly channels: readonly TrackChannel[];
}

/**
 * One audio file of a recording, from position 0 on. Three marks walk along it:
 *
 *     0 ──────── final ──────────── next ──────────── now ───
 *       hashed,         on disk,           in the rings,
 *       out of reach    may be rewritten   not on disk
 */
export class Track implements LaneWriter, MarkedTrack {
  readonly law: Law;
  readonly #folder: string;
  readonly #disk: AudioDisk;
  #suffix: string;
  #channels: readonly TrackChannel[];
  /** By line, since a channel may go its own way. */
  readonly #meters = new Map<number, LevelMeter>();
  #file: WavFile | undefined;
  #hash = createHash('sha256');
  #final = 0;
  #next = 0;
  #written = 0;
  #headerAt = 0;
  /** The channel that stays when the track becomes mono, until the file has been rewritten. */
  #rewrite: number | undefined;
  #isMarked = false;

  constructor(plan: TrackPlan, disk: AudioDisk) {
    this.law = plan.law;
    this.#folder = plan.folder;
    this.#disk = disk;
    this.#suffix = plan.suffix;
    this.#channels = plan.channels;
  }

  /** Everything before this position is hashed and cannot change, unless it is cut off. */
  get final(): number {
    return this.#final;
  }

  /** Its file is being made: until then the audio stays in the rings, which need no second copy. */
  get isOpening(): boolean {
    return this.#file?.ready === false && this.#written === 0;
  }

  get channels(): readonly TrackChannel[] {
    return this.#channels;
  }

  /** Of the channel of a line, as far as it is final; undefined when it has none here. */
  levelsOf(line: number): Levels | undefined {
    return this.#meters.get(line)?.levels;
  }

  get ending(): string {
    return `${this.#suffix === '' ? '' : `_${this.#suffix}`}.wav`;
  }

  get finalBytes(): number {
    return this.#final * this.#channels.length;
  }

  mark(): Mark | undefined {
    if (this.#file === undefined || this.#rewrite !== undefined) return undefined;
    this.#isMarked = true;
    return { bytes: this.finalBytes, sha256: this.#hash.copy().digest('hex') };
  }

  async synced(): Promise<void> {
    await this.#file?.synced();
  }

  touch(position: number): void {
    if (position < this.#next) this.#next = position;
  }

  /**
   * Makes the track a mono file of one of its channels, under another name; the others have never been heard. When it was stated
   * what the file is, it stays that, with silence in the others.
   */
  keepOnly(channel: TrackChannel, suffix: string): void {
    if (this.#isMarked) return;
    if (this.#file !== undefined) this.#rewrite = this.#channels.indexOf(channel);
    this.#channels = [channel];
    this.#suffix = suffix;
  }

  /**
   * Writes what is not on disk before `now`, nothing behind `limit` and at most a scratch buffer full, then hashes what is older than `final`. Returns
   * whether it is done. Throws MediaError DISK and has then lost nothing: the next call goes on from there.
   */
  flush(now: number, final: number, limit = Infinity): boolean {
    // What the disk has not taken yet stays in the rings, and the disk is not asked again before it has answered.
    if (this.#file?.ready === false) return true;
    const file = this.#openFile();
    if (!file.ready) return false;
    const from = this.#next;
    const end = Math.min(now, limit);
    const to = Math.min(end, from + samplesAtOnce(this.#channels.length));
    const octets = to > from ? this.#write(file, from, to) : undefined;
    if (this.#written - this.#headerAt >= HEADER_INTERVAL) {
      file.writeHeader(this.#written);
      this.#headerAt = this.#written;
    }
    for (const { lane } of this.#channels) lane?.settle(Math.min(final, this.#next));
    const whole = Math.min(Math.max(final, this.#whole), this.#next);
    // As a rule what was just written follows what is final, and is final itself but for the last packets.
    if (octets !== undefined && this.#final === from) this.#take(octets, whole);
    this.#finalise(whole);
    return this.#next >= end;
  }

  /** Nothing before this position can change in any channel; 0 while one of them has not begun. */
  get #whole(): number {
    let whole = Infinity;
    for (const { lane } of this.#channels) whole = Math.min(whole, lane?.source?.whole ?? 0);
    return whole;
  }

  #write(file: WavFile, from: number, to: number): Buffer {
    const octets = this.#interleave(from, to);
    file.write(octets, (to - from) * this.#channels.length, from);
    this.#next = to;
    this.#written = Math.max(this.#written, to);
    return octets;
  }

  /** Resolves when the disk has what was written. Rejects with MediaError DISK. */
  async settled(): Promise<void> {
    await this.#file?.settled();
  }

  /** Makes the track end before what the disk refuses. */
  cut(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#next = Math.min(this.#next, file.giveUp());
    if (this.#final > this.#next) this.#hashAgain(file);
  }

  /**
   * Makes the track end at `position`, which may be final already. What lies behind it on the disk is overwritten with silence before
   * `finish` cuts it off, so that it does not stay in blocks that nobody owns. Call it when everything is settled, until it returns true.
   */
  cutBack(position: number): boolean {
    if (this.#file === undefined) return true;
    const file = this.#openFile();
    // It has just become another file, which has to settle before it can be read.
    if (!file.ready) return false;
    this.#next = Math.min(this.#next, position);
    if (this.#final > this.#next) this.#hashAgain(file);
    const channels = this.#channels.length;
    for (let from = position; from < this.#written;) {
      const octets = scratch();
      const count = Math.min(samplesAtOnce(channels), this.#written - from);
      octets.fill(SILENCE[this.law], 0, count * channels);
      file.write(octets, count * channels, from);
      from += count;
    }
    return true;
  }

  /** Begins to bring to the disk what was written. */
  startSync(): void {
    this.#file?.startSync();
  }

  /** Closes the file at `total` samples, all of which `flush` has written and hashed. */
  async finish(total: number): Promise<CapturedFile | undefined> {
    const file = this.#file;
    if (file === undefined) return undefined;
    // With a broken disk less than everything got there: the file ends where it is known to be right.
    const samples = Math.min(total, this.#next);
    this.#finalise(samples);
    const bytes = await file.finish(samples);
    // The zero octet behind an odd number of octets is part of the file, and of what is read again for the seal.
    if (bytes > WAV_HEADER_BYTES + samples * this.#channels.length) this.#hash.update(PAD);
    return {
      path: file.path,
      suffix: this.#suffix,
      codec: this.law,
      channelLines: this.#channels.map((channel) => channel.line),
      channelRoles: this.#channels.map((channel) => channel.role),
      samples,
      bytes,
      audioSha256: this.#hash.digest('hex'),
      audioOffset: WAV_HEADER_BYTES,
    };
  }

  /** Lets go of the file without finishing it. */
  abandon(): void {
    this.#file?.close();
  }

  #openFile(): WavFile {
    if (this.#file !== undefined && this.#rewrite === undefined) return this.#file;
    const path = join(this.#folder, `${this.#suffix === '' ? 'audio' : this.#suffix}.wav.part`);
    if (this.#file !== undefined && this.#rewrite !== undefined)
      return this.#rewriteFile(this.#file, this.#rewrite, path);
    return (this.#file = new WavFile(path, { law: this.law, channels: this.#channels.length }, this.#disk));
  }

  /**
   * Copies one channel of the final part into a new file and hashes it again; the rest is still in the ring. Happens when the
   * second side turns out to speak the other law, as a rule within the first seconds. The old file goes when the new one stands.
   */
  #rewriteFile(old: WavFile, channel: number, path: string): WavFile {
    const file = new WavFile(path, { law: this.law, channels: 1 }, this.#disk);
    const hash = createHash('sha256');
    const { channels } = old.format;
    const octets = scratch();
    try {
      for (let from = 0; from < this.#final;) {
        const count = Math.min(samplesAtOnce(channels), this.#final - from);
        old.read(octets, count * channels, from);
        pickChannel(octets, count, channels, channel);
        file.write(octets, count, from);
        hash.update(octets.subarray(0, count));
        from += count;
      }
      file.writeHeader(this.#final);
    } catch (error) {
      file.remove();
      throw error;
    }
    this.#hash = hash;
    this.#next = this.#final;
    this.#written = this.#final;
    this.#headerAt = this.#final;
    this.#rewrite = undefined;
    this.#file = file;
    old.remove();
    return file;
  }

  /** What was hashed and did not get to the disk leaves the hash again. */
  #hashAgain(file: WavFile): void {
    this.#hash = createHash('sha256');
    this.#meters.clear();
    const channels = this.#channels.length;
    const octets = scratch();
    for (let from = 0; from < this.#next;) {
      const count = Math.min(samplesAtOnce(channels), this.#next - from);
      file.read(octets, count * channels, from);
      this.#hash.update(octets.subarray(0, count * channels));
      this.#measure(octets, count);
      from += count;
    }
    this.#final = this.#next;
  }

  #finalise(position: number): void {
    const limit = samplesAtOnce(this.#channels.length);
    while (this.#final < position) {
      const to = Math.min(position, this.#final + limit);
      this.#take(this.#interleave(this.#final, to), to);
    }
    for (const channel of this.#channels) channel.lane?.ring.release(this.#final);
  }

  /** What begins at `final` and ends at `to` is final, too. */
  #take(octets: Buffer, to: number): void {
    if (to <= this.#final) return;
    this.#hash.update(octets.subarray(0, (to - this.#final) * this.#channels.length));
    this.#measure(octets, to - this.#final);
    this.#final = to;
  }

  /** Of what is final, on its way to the hash: nothing is done for a packet. */
  #measure(octets: Buffer, frames: number): void {
    this.#channels.forEach(({ line, lane }, channel) => {
      if (lane === undefined) return;
      let meter = this.#meters.get(line);
      if (meter === undefined) this.#meters.set(line, (meter = new LevelMeter(this.law)));
      meter.take(octets, frames, this.#channels.length, channel);
    });
  }

  #interleave(from: number, to: number): Buffer {
    return interleave(
      this.#channels.map((channel) => channel.lane),
      SILENCE[this.law],
      from,
      to,
    );
  }
}
