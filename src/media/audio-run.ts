import type { Coverage } from './coverage.ts';
import type { LegLane } from './leg-lane.ts';
import type { ArrivalRun } from './receiver/receiver.ts';
import type { RtpStream } from './rtp-stream.ts';
import type { Timeline } from './timeline.ts';

const HEADER = 12;
const WITHOUT_MARKER = ~(1 << 23);

/**
 * The ordinary case, in which nearly all packets of a call are: one after the other, each of the length of the one before it, without a
 * gap. They are recognised by comparing whole words of their headers, and what a leg knows is brought up to date once for all that came
 * together. Everything else is left to the leg, which tells by `goOn` when it has come to an ordinary place again.
 */
export class AudioRun {
  readonly #coverage: Coverage;
  readonly #timeline: Timeline;
  #stream: RtpStream | undefined;
  #lane: LegLane | undefined;
  #payloadType = 0;
  #length = 0;

  constructor(coverage: Coverage, timeline: Timeline) {
    this.#coverage = coverage;
    this.#timeline = timeline;
  }

  /** Octets of each packet taken last. */
  get length(): number {
    return this.#length;
  }

  /** A packet of this source and payload number was placed in this lane; the next ones may follow it. */
  goOn(stream: RtpStream, lane: LegLane, payloadType: number): void {
    this.#stream = stream;
    this.#lane = lane;
    this.#payloadType = payloadType;
  }

  /** The next packet is not to be taken here. */
  interrupt(): void {
    this.#stream = undefined;
  }

  /** As `RunSink`. Never throws, allocates nothing. */
  take(run: ArrivalRun, from: number, to: number): number {
    const stream = this.#stream;
    const lane = this.#lane;
    const { end } = this.#coverage;
    // What a network held back for longer than stragglers are waited for does not belong where its timestamps say: that is final.
    if (stream === undefined || lane === undefined || end < lane.floor) return 0;
    const { ring } = lane;
    this.#length = stream.stepTo(end);
    const count = this.#length === 0 ? 0 : this.#countExpected(run, from, to);
    if (count === 0 || !ring.reaches(end + count * this.#length)) return 0;
    this.#place(run, from, count);
    stream.follow(count);
    lane.writer?.touch(end);
    this.#coverage.extend(end, end + count * this.#length, stream.window.extended, true);
    return count;
  }

  #countExpected(run: ArrivalRun, from: number, to: number): number {
    const stream = this.#stream;
    if (stream === undefined) return 0;
    const { words, lengths } = run;
    const length = this.#length;
    const ssrc = swap(stream.ssrc);
    // Version 2, no padding, no extension, no other sources; the marker may be set or not.
    const kind = (0x80 << 24) | (this.#payloadType << 16);
    let sequence = stream.window.newest;
    let { timestamp } = stream;
    let slot = from;
    for (; slot < to && lengths[slot] === HEADER + length; slot++) {
      sequence = (sequence + 1) & 0xffff;
      timestamp = (timestamp + length) | 0;
      const word = slot * (run.stride >> 2);
      const first = swap(words[word] ?? 0);
      if ((first & WITHOUT_MARKER) !== (kind | sequence)) break;
      if (swap(words[word + 1] ?? 0) !== timestamp || words[word + 2] !== ssrc) break;
    }
    return slot - from;
  }

  #place(run: ArrivalRun, from: number, count: number): void {
    const stream = this.#stream;
    const ring = this.#lane?.ring;
    if (stream === undefined || ring === undefined) return;
    const { jitter, drift } = stream;
    const length = this.#length;
    let position = this.#coverage.end;
    let { timestamp } = stream;
    for (let slot = from; slot < from + count; slot++, position += length) {
      timestamp = (timestamp + length) >>> 0;
      const at = this.#timeline.positionOf(run.times[slot] ?? 0);
      jitter.take(at, timestamp);
      drift.take(at, position);
      const start = slot * run.stride + HEADER;
      if (!ring.putWords(position, run.words, start, start + length))
        ring.put(position, run.slab, start, start + length);
    }
  }
}

/** The other order of the octets of a word. */
const swap = (word: number): number =>
  (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
