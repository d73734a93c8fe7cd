import { CLOCK_RATE } from './capture.ts';
import { G729_FRAME, G729_TICKS } from './codec.ts';
import type { Framing, KeptPacket, Octets } from './kept-packet.ts';
import { wavHeader, WAV_HEADER_BYTES, wavRate, wavSamples, type WavFormat } from './wav-header.ts';

/** Octets of silence written at once. */
const RUN = 16 * 1024;

/**
 * The octet that fills gaps of G.722: the smallest positive step in both sub-bands (ITU-T G.722 tables 4 and 9: codes 111101 and
 * 11), upon which the step sizes shrink to their least value within milliseconds. G.722 has no code for zero.
 */
const G722_SILENCE = 0xfd;
const G722_RUN = Buffer.alloc(RUN, G722_SILENCE);

abstract class WavFraming implements Framing {
  readonly extension = 'wav';
  readonly headerBytes = WAV_HEADER_BYTES;
  abstract readonly format: WavFormat;
  position = 0;

  get rate(): number {
    return wavRate(this.format);
  }

  header(octets: number): Buffer {
    return wavHeader(this.format, wavSamples(this.format, octets));
  }

  close(_ends: boolean, _out: Octets): void {
    // A WAV file ends with its last frame.
  }

  abstract clone(): Framing;
  abstract packet(packet: KeptPacket, channel: number, out: Octets): void;
  abstract silence(position: number, out: Octets): void;
}

/** G.722: an octet a tick, as it was received (RFC 3551 §4.5.2). */
export class G722Framing extends WavFraming {
  readonly format: WavFormat = { law: 'G722', channels: 1 };

  clone(): G722Framing {
    return Object.assign(new G722Framing(), { position: this.position });
  }

  packet(packet: KeptPacket, _channel: number, out: Octets): void {
    this.silence(packet.position, out);
    out(packet.octets);
    this.position += packet.octets.length;
  }

  silence(position: number, out: Octets): void {
    fill(position - this.position, G722_RUN, out);
    this.position = Math.max(this.position, position);
  }
}

/**
 * G.729: frames of 10 octets. A gap is filled with frames of zeros: their parity bit is wrong, so no encoder makes them and no
 * reader takes them for speech; decoders conceal them as lost, and fade out. Silence descriptors (annex B) do not fit into
 * a file of equal frames; they are comfort noise and left out.
 */
export class G729Framing extends WavFraming {
  readonly format: WavFormat = { law: 'G729', channels: 1 };

  clone(): G729Framing {
    return Object.assign(new G729Framing(), { position: this.position });
  }

  packet(packet: KeptPacket, _channel: number, out: Octets): void {
    this.silence(packet.position, out);
    const frames = Math.floor(packet.octets.length / G729_FRAME);
    out(packet.octets.subarray(0, frames * G729_FRAME));
    this.position += frames * G729_TICKS;
  }

  silence(position: number, out: Octets): void {
    const frames = Math.floor(Math.max(0, position - this.position) / G729_TICKS);
    fill(frames * G729_FRAME, ZEROS, out);
    this.position += frames * G729_TICKS;
  }
}

const ZEROS = Buffer.alloc(RUN - (RUN % G729_FRAME));

/** Linear samples: the octets of each change places, since RTP sends the high one first and WAV has the low one first. */
export class L16Framing extends WavFraming {
  readonly format: WavFormat;
  /** Of each channel: samples that came so far, and those of them that wait for the other channel. */
  readonly #counts: number[];
  readonly #waiting: Buffer[];

  constructor(clockRate: number, channels: number) {
    super();
    this.format = { law: 'L16', channels, rate: clockRate };
    this.#counts = new Array<number>(channels).fill(0);
    this.#waiting = this.#counts.map(() => Buffer.alloc(0));
  }

  clone(): L16Framing {
    const copy = new L16Framing(this.rate, this.#counts.length);
    copy.position = this.position;
    this.#counts.forEach((count, channel) => {
      copy.#counts[channel] = count;
      copy.#waiting[channel] = this.#waiting[channel] ?? Buffer.alloc(0);
    });
    return copy;
  }

  packet(packet: KeptPacket, channel: number, out: Octets): void {
    this.#padTo(channel, packet.position);
    const whole = packet.octets.length - (packet.octets.length % 2);
    this.#add(channel, Buffer.from(packet.octets.subarray(0, whole)).swap16());
    this.#interleave(out);
  }

  silence(position: number, out: Octets): void {
    this.#padAll(Math.round((position * this.rate) / CLOCK_RATE));
    this.#interleave(out);
  }

  /** Both channels end together. */
  override close(_ends: boolean, out: Octets): void {
    this.#padAll(Math.max(...this.#counts));
    this.#interleave(out);
  }

  /** Less than a millisecond is what rounding to ticks made, not a gap. */
  #padTo(channel: number, position: number): void {
    const missing = Math.round((position * this.rate) / CLOCK_RATE) - (this.#counts[channel] ?? 0);
    if (missing > this.rate / 1000) this.#add(channel, Buffer.alloc(missing * 2));
  }

  #padAll(samples: number): void {
    this.#counts.forEach((count, channel) => {
      if (samples > count) this.#add(channel, Buffer.alloc((samples - count) * 2));
    });
  }

  #add(channel: number, samples: Buffer): void {
    this.#counts[channel] = (this.#counts[channel] ?? 0) + samples.length / 2;
    this.#waiting[channel] = Buffer.concat([this.#waiting[channel] ?? Buffer.alloc(0), samples]);
  }

  #interleave(out: Octets): void {
    const channels = this.#waiting.length;
    const length = Math.min(...this.#waiting.map((waiting) => waiting.length));
    if (length === 0) return;
    const frames = Buffer.allocUnsafe(length * channels);
    this.#waiting.forEach((waiting, channel) => {
      for (let from = 0, to = channel * 2; from < length; from += 2, to += channels * 2)
        frames.writeUInt16LE(waiting.readUInt16LE(from), to);
      this.#waiting[channel] = waiting.subarray(length);
    });
    out(frames);
    const written = (this.#counts[0] ?? 0) - (this.#waiting[0]?.length ?? 0) / 2;
    this.position = Math.round((written * CLOCK_RATE) / this.rate);
  }
}

function fill(octets: number, run: Buffer, out: Octets): void {
  for (let rest = octets; rest > 0; rest -= run.length) out(run.subarray(0, Math.min(rest, run.length)));
}
