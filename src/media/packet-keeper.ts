import { CLOCK_RATE, type PayloadFormat } from './capture.ts';
import { codecOf, STATIC_CODECS, UNKNOWN_CODEC, type Codec } from './codec.ts';
import type { Coverage } from './coverage.ts';
import type { PacketLane } from './packet-lane.ts';
import { pcapRecord, type Route } from './pcap.ts';
import type { Arrival } from './receiver/receiver.ts';
import type { RtpPacket } from './rtp-packet.ts';
import type { Place, RtpStream } from './rtp-stream.ts';

/** In a dump, what a packet is taken to last (20 ms), and the distance from which on nothing was heard in between (200 ms). */
const DUMP_LASTS = CLOCK_RATE / 50;
const DUMP_GAP = CLOCK_RATE / 5;

/** Names listed of what is in one dump. */
const LISTED = 100;

/** What became of a packet. `filled`: kept in a gap behind others. `unwritten`: no room, since the disk does not take what came before. */
type Fate = 'kept' | 'filled' | 'late' | 'rejected' | 'unwritten';

/** Older audio than this is on the disk and final, however seldom is written; where it is not, the disk is late. 10 s. */
const USUAL_DELAY = 10 * CLOCK_RATE;

/** Whether what arrives at a position finds no room because of the disk, and not because its sender is ahead of the clock. */
export const isDiskBehind = (at: number, base: number): boolean => at - base > USUAL_DELAY;

interface KeeperHost {
  /** Makes the lane for the first packet in a codec, `position` being where it starts. */
  openPackets(codec: Codec, position: number): PacketLane;
  /** Where the packet in hand came from and went to. */
  route(): Route;
}

/** A packet in hand, with what is known of it. */
export interface PacketInHand {
  readonly packet: RtpPacket;
  readonly arrival: Arrival;
  readonly stream: RtpStream;
  readonly codec: Codec;
  readonly ticks: number;
  /** Position of its arrival. */
  readonly at: number;
  /** The packet placed before it came from the same source. */
  readonly comparable: boolean;
  /** Scratch, with `switched` set. */
  readonly place: Place;
}

/** The packets of a leg that are not G.711: which codec they are of, where they stand, and the lanes that keep them. */
export class PacketKeeper {
  readonly #host: KeeperHost;
  readonly #coverage: Coverage;
  /** Those of the static numbers until an SDP names others. */
  #codecs: ReadonlyMap<number, Codec> = STATIC_CODECS;
  readonly #lanes: PacketLane[] = [];
  /** Names in order of first use. */
  readonly #heard: string[];

  /** `heard` gets the names of the codecs, with those of the leg's other audio. */
  constructor(host: KeeperHost, coverage: Coverage, heard: string[]) {
    this.#host = host;
    this.#coverage = coverage;
    this.#heard = heard;
  }

  announce(format: PayloadFormat): void {
    this.#codecs = new Map(this.#codecs).set(format.payloadType, codecOf(format));
  }

  codecOf(payloadType: number): Codec {
    return this.#codecs.get(payloadType) ?? UNKNOWN_CODEC;
  }

  get lanes(): readonly PacketLane[] {
    return this.#lanes;
  }

  /** Keeps the next packet of its source. */
  keepNext(hand: PacketInHand): Fate {
    const { packet, stream, ticks, place, comparable, at } = hand;
    const lane = this.#lane(hand.codec, at);
    const sequence = stream.window.extended;
    const { end } = this.#coverage;
    place.arrival = at;
    place.end = end;
    place.floor = lane.base;
    const named = Math.round(stream.advance(sequence, packet.timestamp, ticks, place));
    if (named < end && this.#fillsGap(lane, { from: named, to: named + ticks }, sequence)) {
      keep(lane, named, hand);
      return 'kept';
    }
    // Frames cannot be cut: one that begins a little early stands behind what is there.
    const position = Math.max(named, end);
    const blocked = position >= named + ticks || (named < end && !comparable);
    if (blocked) return 'rejected';
    if (!lane.reaches(position + ticks)) return isDiskBehind(at, lane.base) ? 'unwritten' : 'rejected';
    keep(lane, position, hand);
    this.#coverage.extend(position, position + ticks, sequence, comparable);
    return 'kept';
  }

  /** Keeps a packet that others have overtaken, if its place is still free. */
  keepStraggler(hand: PacketInHand, window: number): Fate {
    const { packet, stream, ticks, at } = hand;
    const lane = this.#lane(hand.codec, at);
    const sequence = stream.window.extended;
    const located = stream.locate(sequence, packet.timestamp);
    const position = located === undefined ? -1 : Math.round(located);
    if (position < Math.max(0, at - window, lane.base)) return 'late';
    if (!this.#fillsGap(lane, { from: position, to: position + ticks }, sequence)) return 'rejected';
    keep(lane, position, hand);
    return 'filled';
  }

  /** Keeps a packet of which nothing is known but that it came: it stands at its arrival. */
  dump({ arrival, stream, codec, at, comparable }: PacketInHand): Fate {
    const lane = this.#lane(codec, at);
    const { end } = this.#coverage;
    const to = at + DUMP_LASTS;
    if (!lane.reaches(to)) return isDiskBehind(at, lane.base) ? 'unwritten' : 'rejected';
    const octets = pcapRecord(
      arrival.at,
      this.#host.route(),
      arrival.slab.subarray(arrival.start, arrival.end),
    );
    lane.add({ position: Math.max(at, lane.base), ticks: DUMP_LASTS, octets });
    // A stray packet that nobody announced takes no place from audio.
    if (codec === UNKNOWN_CODEC) this.#coverage.skip();
    else if (to > end) {
      const from = at - end > DUMP_GAP ? at : end;
      this.#coverage.extend(from, to, stream.window.extended, comparable);
    }
    return 'kept';
  }

  /** Whether the whole span was open; it is covered then. */
  #fillsGap(lane: PacketLane, span: { from: number; to: number }, sequence: number): boolean {
    if (span.from < lane.base || !this.#coverage.isOpen(span.from, span.to)) return false;
    this.#coverage.fill(span.from, span.to, sequence);
    return true;
  }

  #lane(codec: Codec, position: number): PacketLane {
    if (!this.#heard.includes(codec.name) && this.#heard.length < LISTED) this.#heard.push(codec.name);
    const there = this.#lanes.find((each) => each.codec.key === codec.key);
    if (there !== undefined) return there;
    const lane = this.#host.openPackets(codec, position);
    this.#lanes.push(lane);
    return lane;
  }
}

function keep(lane: PacketLane, position: number, { packet, arrival, ticks }: PacketInHand): void {
  const octets = Buffer.from(arrival.slab.subarray(packet.payloadStart, packet.payloadEnd));
  lane.add({ position, ticks, octets });
}
