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

/** Whose samples are in one file: so many legs, each with `width` channels in its packets. */
interface Sharing {
  readonly legs: number;
  readonly width: number;
}

/** Of one leg: frames that came so far, and those of them that wait for the other leg. */
interface LinearLeg {
  readonly count: number;
  readonly waiting: Buffer;
}

/** Linear samples: the octets of each change places, since RTP sends the high one first and WAV has the low one first. */
export class L16Framing extends WavFraming {
  readonly format: WavFormat;
  readonly #width: number;
  /** Octets of a sample of every channel of a leg. */
  readonly #frame: number;
  readonly #legs: LinearLeg[];

  constructor(clockRate: number, { legs, width }: Sharing) {
    super();
    this.format = { law: 'L16', channels: legs * width, rate: clockRate };
    this.#width = width;
    this.#frame = 2 * width;
    this.#legs = Array.from({ length: legs }, () => ({ count: 0, waiting: Buffer.alloc(0) }));
  }

  clone(): L16Framing {
    return this.#with(this.#legs);
  }

  /** The same without the other legs. */
  only(leg: number): L16Framing {
    return this.#with(this.#legs.slice(leg, leg + 1));
  }

  #with(legs: readonly LinearLeg[]): L16Framing {
    const copy = new L16Framing(this.rate, { legs: legs.length, width: this.#width });
    copy.position = this.position;
    legs.forEach((state, leg) => (copy.#legs[leg] = state));
    return copy;
  }

  packet(packet: KeptPacket, leg: number, out: Octets): void {
    this.#padTo(leg, packet.position);
    const whole = packet.octets.length - (packet.octets.length % this.#frame);
    this.#add(leg, Buffer.from(packet.octets.subarray(0, whole)).swap16());
    this.#interleave(out);
  }

  silence(position: number, out: Octets): void {
    this.#padAll(Math.round((position * this.rate) / CLOCK_RATE));
    this.#interleave(out);
  }

  /** All legs end together. */
  override close(_ends: boolean, out: Octets): void {
    this.#padAll(Math.max(...this.#legs.map(({ count }) => count)));
    this.#interleave(out);
  }

  /** Less than a millisecond is what rounding to ticks made, not a gap. */
  #padTo(leg: number, position: number): void {
    const missing = Math.round((position * this.rate) / CLOCK_RATE) - (this.#legs[leg]?.count ?? 0);
    if (missing > this.rate / 1000) this.#add(leg, Buffer.alloc(missing * this.#frame));
  }

  #padAll(frames: number): void {
    this.#legs.forEach(({ count }, leg) => {
      if (frames > count) this.#add(leg, Buffer.alloc((frames - count) * this.#frame));
    });
  }

  #add(leg: number, samples: Buffer): void {
    const { count, waiting } = this.#legs[leg] ?? { count: 0, waiting: Buffer.alloc(0) };
    this.#legs[leg] = {
      count: count + samples.length / this.#frame,
      waiting: waiting.length === 0 ? samples : Buffer.concat([waiting, samples]),
    };
  }

  #interleave(out: Octets): void {
    const length = Math.min(...this.#legs.map(({ waiting }) => waiting.length));
    if (length === 0) return;
    const stride = this.#legs.length * this.#frame;
    const frames = Buffer.allocUnsafe((length / this.#frame) * stride);
    this.#legs.forEach(({ count, waiting }, leg) => {
      if (this.#legs.length === 1) waiting.copy(frames);
      // Legs share a file only where each has one channel.
      else
        for (let from = 0, to = leg * 2; from < length; from += 2, to += stride)
          frames.writeUInt16LE(waiting.readUInt16LE(from), to);
      this.#legs[leg] = { count, waiting: waiting.subarray(length) };
    });
    out(frames);
    const [first] = this.#legs;
    const written = (first?.count ?? 0) - (first?.waiting.length ?? 0) / this.#frame;
    this.position = Math.round((written * CLOCK_RATE) / this.rate);
  }
}

function fill(octets: number, run: Buffer, out: Octets): void {
  for (let rest = octets; rest > 0; rest -= run.length) out(run.subarray(0, Math.min(rest, run.length)));
}
