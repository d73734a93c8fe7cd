import type { Law } from './g711.ts';
import { alawMagnitude, ulawMagnitude } from './g711-values.ts';

/** How loud the audio of a leg was: samples looked at, those above the noise of a quiet line, and those at the limit of the law. */
export interface Levels {
  readonly samples: number;
  readonly sounding: number;
  readonly clipped: number;
}

/** One sample of so many is looked at: enough to tell silence and clipping, and no beat with a tone of the telephone network. */
const STRIDE = 7;

/** About −54 dB below full scale: digital silence and the noise of a muted microphone stay under it. */
const QUIET = 64;

/** One that sounds, and in the upper half one that is clipped besides: the sum of many tells how many there were of either. */
const SOUNDING = 1;
const CLIPPED = 0x1_0000 | SOUNDING;

/** Frames of which no more are looked at than the lower half of a sum can count. */
const SUMMED_FRAMES = STRIDE * 0x7fff;

/** What each octet of a law counts as. */
const WEIGHTS: Readonly<Record<Law, Uint32Array>> = {
  PCMA: weightsOf(alawMagnitude),
  PCMU: weightsOf(ulawMagnitude),
};

function weightsOf(magnitude: (octet: number) => number): Uint32Array {
  const magnitudes = Array.from({ length: 256 }, (_none, octet) => magnitude(octet));
  const largest = Math.max(...magnitudes);
  return Uint32Array.from(magnitudes, (value) =>
    value === largest ? CLIPPED : value >= QUIET ? SOUNDING : 0,
  );
}

/** Counts the levels of one channel while its octets go to the disk: an addition a sample. */
export class LevelMeter {
  readonly #weights: Uint32Array;
  #samples = 0;
  #sounding = 0;
  #clipped = 0;
  /** Frames to pass over until the next one that is looked at. */
  #skip = 0;

  constructor(law: Law) {
    this.#weights = WEIGHTS[law];
  }

  /** Takes `frames` frames of `step` octets; the channel's octet is the one at `channel`. */
  take(octets: Uint8Array, frames: number, step: number, channel: number): void {
    let frame = this.#skip;
    while (frame < frames) {
      const looks = Math.ceil((Math.min(frames, frame + SUMMED_FRAMES) - frame) / STRIDE);
      this.#count(octets, { at: frame * step + channel, apart: STRIDE * step }, looks);
      frame += looks * STRIDE;
    }
    this.#skip = frame - frames;
  }

  get levels(): Levels {
    return { samples: this.#samples, sounding: this.#sounding, clipped: this.#clipped };
  }

  #count(octets: Uint8Array, first: { readonly at: number; readonly apart: number }, looks: number): void {
    const weights = this.#weights;
    const { apart } = first;
    let sum = 0;
    for (let at = first.at, left = looks; left > 0; left--, at += apart) sum += weights[octets[at] ?? 0] ?? 0;
    this.#samples += looks;
    this.#sounding += sum & 0xffff;
    this.#clipped += sum >>> 16;
  }
}

/** The same for linear samples as RTP carries them: 16 bit, the high octet first (RFC 3551 §4.5.11). */
export class LinearMeter {
  readonly #counts = { samples: 0, sounding: 0, clipped: 0 };
  #skip = 0;

  take(octets: Buffer): void {
    const end = octets.length >> 1;
    let at = this.#skip;
    for (; at < end; at += STRIDE) {
      const value = Math.abs(octets.readInt16BE(at * 2));
      this.#counts.samples++;
      if (value >= QUIET) this.#counts.sounding++;
      if (value >= 0x7fff) this.#counts.clipped++;
    }
    this.#skip = at - end;
  }

  get levels(): Levels {
    return { ...this.#counts };
  }
}

/** A codec has noise of its own: what was digital silence, or the noise of a muted microphone, stays below −48 dB when it is decoded. */
const QUIET_DECODED = 128;

/** What was clipped before it was encoded comes back as peaks around the limit, hardly ever at it: −0.2 dB. */
const CLIPPED_DECODED = 32_000;

const SAMPLE_BYTES = 2;

/** The same for what a decoder made: 16 bit, the low octet first, channels by turns, as a WAV file has them. */
export class DecodedMeter {
  readonly #counts: readonly { samples: number; sounding: number; clipped: number }[];
  readonly #frame: number;
  /** Of a frame that the last octets ended in the middle of. */
  #rest: Buffer = Buffer.alloc(0);
  #skip = 0;

  constructor(channels: number) {
    this.#counts = Array.from({ length: channels }, () => ({ samples: 0, sounding: 0, clipped: 0 }));
    this.#frame = channels * SAMPLE_BYTES;
  }

  /** Takes octets as they come, cut anywhere. */
  take(octets: Buffer): void {
    const whole = this.#rest.length === 0 ? octets : Buffer.concat([this.#rest, octets]);
    const frames = Math.floor(whole.length / this.#frame);
    let frame = this.#skip;
    for (; frame < frames; frame += STRIDE) this.#look(whole, frame * this.#frame);
    this.#skip = frame - frames;
    this.#rest = Buffer.from(whole.subarray(frames * this.#frame));
  }

  /** Of each channel. */
  get levels(): readonly Levels[] {
    return this.#counts.map((counts) => ({ ...counts }));
  }

  #look(octets: Buffer, at: number): void {
    this.#counts.forEach((counts, channel) => {
      const value = Math.abs(octets.readInt16LE(at + channel * SAMPLE_BYTES));
      counts.samples++;
      if (value >= QUIET_DECODED) counts.sounding++;
      if (value >= CLIPPED_DECODED) counts.clipped++;
    });
  }
}

export const addLevels = (one: Levels, other: Levels): Levels => ({
  samples: one.samples + other.samples,
  sounding: one.sounding + other.sounding,
  clipped: one.clipped + other.clipped,
});
