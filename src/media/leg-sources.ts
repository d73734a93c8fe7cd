import { CLOCK_RATE, type LegStatistics } from './capture.ts';
import { RtpStream } from './rtp-stream.ts';

/** Sources and SSRCs are listed up to this number; a sender that changes them for every packet fills no memory. */
const LISTED = 100;

/** The synchronisation sources of a line: the one that sends, the one before it, and the figures of all there ever were. */
export class LegSources {
  #current: RtpStream | undefined;
  /** The source before; its last packets may arrive among those of the new one. */
  #before: RtpStream | undefined;
  // As long as they are, not longer, as lists get by `push`: they seldom grow.
  #ssrcs: readonly string[] = [];
  #addresses: readonly string[] = [];
  #address: string | undefined;
  readonly #past = { expected: 0, received: 0, jitterMax: 0 };

  /** The newest first. */
  get streams(): readonly RtpStream[] {
    return [this.#current, this.#before].filter((stream) => stream !== undefined);
  }

  /** The stream of a source; with `keep` a new one displaces no other, and is undefined unless it is the first. */
  of(ssrc: number, keep: boolean): RtpStream | undefined {
    if (this.#current?.ssrc === ssrc) return this.#current;
    if (this.#before?.ssrc === ssrc) return this.#before;
    if (keep && this.#current !== undefined) return undefined;
    this.#retire(this.#before);
    this.#before = this.#current;
    this.#current = new RtpStream(ssrc);
    const name = ssrc.toString(16).padStart(8, '0');
    this.#ssrcs = listed(this.#ssrcs, name);
    return this.#current;
  }

  /** What comes next is placed by its arrival. */
  interrupt(): void {
    for (const stream of this.streams) stream.interrupt();
  }

  /** The extended number of the packet taken last of a source. */
  sequenceOf(ssrc: number): number {
    const stream = ssrc === this.#current?.ssrc ? this.#current : this.#before;
    return stream?.window.extended ?? NaN;
  }

  /** `address:port` the packets come from now. */
  get address(): string | undefined {
    return this.#address;
  }

  /** Notes an `address:port` that packets come from now, and lists it. */
  noteAddress(address: string): void {
    this.#address = address;
    this.#addresses = listed(this.#addresses, address);
  }

  /** Packets that should have come and that came, of all there ever were. */
  get counts(): { readonly expected: number; readonly received: number } {
    const { expected, received } = this.#past;
    const [now, before] = [this.#current?.window, this.#before?.window];
    return {
      expected: expected + (now?.expected ?? 0) + (before?.expected ?? 0),
      received: received + (now?.received ?? 0) + (before?.received ?? 0),
    };
  }

  /** Their part of the leg's statistics. */
  statistics(): Pick<
    LegStatistics,
    'ssrcs' | 'sources' | 'expected' | 'received' | 'lost' | 'jitter' | 'jitterMax' | 'clock' | 'alignment'
  > {
    const { expected, received } = this.counts;
    const jitterMax = Math.max(this.#past.jitterMax, ...this.streams.map((stream) => stream.jitter.max));
    return {
      ssrcs: this.#ssrcs,
      sources: this.#addresses,
      expected,
      received,
      lost: expected - received,
      jitter: milliseconds(this.#current?.jitter.value ?? 0),
      jitterMax: milliseconds(jitterMax),
      ...clockOf(this.#current, this.#before),
      ...alignmentOf(this.#current, this.#before),
    };
  }

  #retire(stream: RtpStream | undefined): void {
    if (stream === undefined) return;
    this.#past.expected += stream.window.expected;
    this.#past.received += stream.window.received;
    this.#past.jitterMax = Math.max(this.#past.jitterMax, stream.jitter.max);
  }
}

const listed = (list: readonly string[], name: string): readonly string[] =>
  list.length < LISTED && !list.includes(name) ? [...list, name] : list;

/** Drift of the source heard last, and what gaps took up of it and of the one before. */
function clockOf(
  current: RtpStream | undefined,
  before: RtpStream | undefined,
): Pick<LegStatistics, 'clock'> {
  const takenUp = milliseconds((current?.drift.takenUp ?? 0) + (before?.drift.takenUp ?? 0));
  const left = milliseconds(current?.drift.value ?? 0);
  return Math.abs(takenUp) < 10 && Math.abs(left) < 10 ? {} : { clock: { takenUp, left } };
}

/** What was moved for the sender's reports, and what is left of the source heard last. */
function alignmentOf(
  current: RtpStream | undefined,
  before: RtpStream | undefined,
): Pick<LegStatistics, 'alignment'> {
  const moved = milliseconds((current?.aligned ?? 0) + (before?.aligned ?? 0));
  const late = milliseconds(current?.late ?? 0);
  return moved === 0 && late === 0 ? {} : { alignment: { moved, late } };
}

const milliseconds = (samples: number): number => (samples * 1000) / CLOCK_RATE;
