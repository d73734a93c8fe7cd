import { CLOCK_RATE } from '../capture.ts';
import type { RtpStream } from '../rtp-stream.ts';
import type { ReportBlock } from './reports-sent.ts';

/** What a report said last of a source, since loss is told for the time between two reports. */
interface Told {
  readonly expected: number;
  readonly received: number;
}

const NOTHING: Told = { expected: 0, received: 0 };

/** How well the sources of a line arrive, from one report of ours to the next (RFC 3550 §6.4.1, A.3). */
export class Reception {
  readonly #told = new WeakMap<RtpStream, Told>();

  /** The block of a source, or undefined when nothing came of it since the call before. */
  blockOf(stream: RtpStream): Omit<ReportBlock, 'lastReport'> | undefined {
    const { expected, received, highest } = stream.window;
    const before = this.#told.get(stream) ?? NOTHING;
    if (received === before.received) return undefined;
    this.#told.set(stream, { expected, received });
    const due = expected - before.expected;
    const missing = due - (received - before.received);
    return {
      ssrc: stream.ssrc,
      fractionLost: due > 0 && missing > 0 ? missing / due : 0,
      lost: expected - received,
      highest,
      jitter: (stream.jitter.value * stream.clockRate) / CLOCK_RATE,
    };
  }
}
