import { CLOCK_RATE } from './capture.ts';
import { ClockDrift } from './clock-drift.ts';
import { Jitter } from './jitter.ts';
import { timestampDistance } from './sequence.ts';
import { SequenceWindow, type SequenceVerdict } from './sequence-window.ts';

/** How far a packet may stand before or after its arrival before its timestamp is taken for a jump: 1.5 s and 3 s. */
const BEHIND = 12_000;
const AHEAD = 24_000;

/** A gap of 200 ms is silence, or so much loss that nothing more can belong into it without being noticed. */
const SILENCE = 1600;

/** What the leg knows about the place of a packet, all in positions. */
export interface Place {
  arrival: number;
  /** First position after everything recorded. */
  end: number;
  /** First position that is not final. */
  floor: number;
  /** The packet before came from another source. */
  switched: boolean;
}

/** Ties the timestamps of one run of packets to the timeline: `timestamp` stands at `position`. */
interface Anchor {
  /** Extended sequence number the run begins with. */
  readonly first: number;
  timestamp: number;
  position: number;
}

/** One synchronisation source on a leg: its sequence numbers, its jitter, and where its timestamps stand on the timeline. */
export class RtpStream {
  readonly ssrc: number;
  /** Of its timestamps; every position is in ticks of CLOCK_RATE. */
  clockRate = CLOCK_RATE;
  readonly window = new SequenceWindow();
  readonly jitter = new Jitter();
  readonly drift = new ClockDrift();
  /** Ticks by which its audio stands too late, by what its sender reports (negative: none is). */
  late = 0;
  /** Ticks by which it was moved for that. */
  aligned = 0;
  #anchor: Anchor | undefined;
  /** The run before the current one; packets of it may still be on their way. */
  #previous: Anchor | undefined;
  #interrupted = false;
  #lastSequence = 0;
  #lastLength = 0;

  constructor(ssrc: number) {
    this.ssrc = ssrc;
  }

  /** The timestamps count in another clock from here on: a codec change in mid-call. */
  retune(clockRate: number): void {
    this.clockRate = clockRate;
    this.#anchor = undefined;
    this.#previous = undefined;
    this.jitter.interrupt();
  }

  /**
   * Takes the sequence number of an audio packet. An old or repeated one whose timestamp lies beyond everything recorded, or
   * before the start, is no straggler but a sender that began anew without changing its SSRC.
   */
  accept(sequenceNumber: number, timestamp: number): SequenceVerdict {
    const extended = this.window.lookup(sequenceNumber);
    if (this.#isElsewhere(extended, timestamp)) return this.window.doubt(sequenceNumber) ? 'restart' : 'wild';
    return this.window.accept(sequenceNumber);
  }

  /** The sender began anew: nothing it sent before can be compared any more. */
  restart(): void {
    this.#anchor = undefined;
    this.#previous = undefined;
    this.jitter.interrupt();
  }

  /** The next audio packet is placed by its arrival (after a pause, a restart, a change of source). */
  interrupt(): void {
    this.#interrupted = true;
    this.jitter.interrupt();
  }

  /**
   * Where a packet in sequence stands: by its timestamp, or at its arrival (but not before the leg's end) when there is no
   * anchor yet, when the timestamp jumped, or when what it names is final. Moves the anchor there.
   */
  advance(sequence: number, timestamp: number, length: number, place: Place): number {
    const anchor = this.#anchor;
    let position = NaN;
    if (anchor !== undefined && !this.#interrupted)
      position = this.#continue(anchor, sequence, this.#ticks(anchor.timestamp, timestamp), place);
    if (anchor === undefined || Number.isNaN(position)) {
      position = Math.max(place.arrival, place.end, place.floor);
      this.#previous = anchor;
      this.#anchor = { first: sequence, timestamp, position };
      this.#interrupted = false;
      this.drift.restart();
    } else {
      position += this.#correction(sequence, position - place.end);
      anchor.timestamp = timestamp;
      anchor.position = position;
    }
    this.drift.take(place.arrival, position);
    this.#lastSequence = sequence;
    this.#lastLength = length;
    return position;
  }

  /** Timestamp of the audio packet placed last. */
  get timestamp(): number {
    return this.#anchor?.timestamp ?? 0;
  }

  /**
   * How long the packet is that comes next in sequence and time, when it is as long as the one before it and begins at `end`; 0 when the
   * next one has to be looked at by itself.
   */
  stepTo(end: number): number {
    const anchor = this.#anchor;
    if (anchor === undefined || this.#interrupted || this.clockRate !== CLOCK_RATE) return 0;
    const straight = this.#lastSequence === this.window.newest && anchor.position + this.#lastLength === end;
    return straight ? this.#lastLength : 0;
  }

  /** Takes `count` such packets. */
  follow(count: number): void {
    const anchor = this.#anchor;
    if (anchor === undefined) return;
    anchor.timestamp = (anchor.timestamp + count * this.#lastLength) >>> 0;
    anchor.position += count * this.#lastLength;
    this.window.follow(count);
    this.#lastSequence = this.window.newest;
  }

  /** Where a moment of its clock stands; undefined while there is no anchor. */
  positionOf(timestamp: number): number | undefined {
    const anchor = this.#anchor;
    return anchor === undefined || this.#interrupted
      ? undefined
      : anchor.position + this.#ticks(anchor.timestamp, timestamp);
  }

  /** All its audio was moved by so many positions. */
  shift(by: number): void {
    for (const anchor of [this.#anchor, this.#previous]) if (anchor !== undefined) anchor.position += by;
    this.drift.rebase(by);
    this.aligned += by;
  }

  /** Where a straggler stands, by the anchor of its own run. */
  locate(sequence: number, timestamp: number): number | undefined {
    const current = this.#anchor;
    if (current === undefined) return undefined;
    const anchor = sequence < current.first ? (this.#previous ?? current) : current;
    return anchor.position + this.#ticks(anchor.timestamp, timestamp);
  }

  /**
   * What a gap before the packet takes up of the drift of the sender's clock: a pause of the sender, never a hole in which reordered
   * packets may still have their place. Octets are not touched.
   */
  #correction(sequence: number, gap: number): number {
    const pause = gap > 0 && (sequence === this.#lastSequence + 1 || gap >= SILENCE);
    if (!pause) return 0;
    const shift = this.drift.correct(gap);
    return this.late > 0 ? shift - this.#catchUp(gap + shift) : shift;
  }

  /** Makes the gap shorter for audio that stands too late; returns by how much. */
  #catchUp(gap: number): number {
    const taken = Math.max(0, Math.min(this.late, gap));
    this.late -= taken;
    this.aligned -= taken;
    this.drift.rebase(-taken);
    return taken;
  }

  /** The position `step` after the anchor, or NaN when it cannot be meant. */
  #continue(anchor: Anchor, sequence: number, step: number, place: Place): number {
    const position = anchor.position + step;
    if (position < place.floor) return NaN;
    // Its clock stood still while another source was sending.
    if (place.switched && position < place.end && place.arrival >= place.end) return NaN;
    // A jump is a timestamp that the sequence number does not explain: late bursts and fast senders do not jump.
    const steady = Math.abs(step - (sequence - this.#lastSequence) * this.#lastLength) < 1;
    return steady || isNear(position, place.arrival) ? position : NaN;
  }

  #ticks(from: number, to: number): number {
    const distance = timestampDistance(from, to);
    return this.clockRate === CLOCK_RATE ? distance : (distance * CLOCK_RATE) / this.clockRate;
  }

  #isElsewhere(extended: number, timestamp: number): boolean {
    const anchor = this.#anchor;
    // Also false for NaN, a number in sequence.
    if (anchor === undefined || !(extended >= anchor.first)) return false;
    const step = this.#ticks(anchor.timestamp, timestamp);
    return step > 0 || anchor.position + step < -AHEAD;
  }
}

const isNear = (position: number, arrival: number): boolean =>
  position >= arrival - BEHIND && position <= arrival + AHEAD;
