import { CLOCK_RATE, type CaptureLine, type LegStatistics, type PayloadFormat } from './capture.ts';
import { ticksOf, UNKNOWN_CODEC, type Codec } from './codec.ts';
import { AudioRun } from './audio-run.ts';
import { Coverage, type Span } from './coverage.ts';
import type { Law } from './g711.ts';
import type { InBandTones } from './in-band-tones.ts';
import { LegReports } from './rtcp/leg-reports.ts';
import { LegSources } from './leg-sources.ts';
import type { AlignableLeg, SenderClock } from './leg-alignment.ts';
import type { LegLane } from './leg-lane.ts';
import type { Refusal } from './line-guard.ts';
import { PacketLane } from './packet-lane.ts';
import { isDiskBehind, PacketKeeper, type PacketInHand } from './packet-keeper.ts';
import { kindOf, STATIC_KINDS, withFormats, type PayloadKind, type PayloadKinds } from './payload-kinds.ts';
import type { Route } from './pcap.ts';
import type { Arrival, ArrivalRun } from './receiver/receiver.ts';
import { splitSource } from './receiver/source-keys.ts';
import { SourceGate } from './receiver/source-gate.ts';
import { isRtcp, readRtp, RtpPacket } from './rtp-packet.ts';
import { TelephoneEvents } from './telephone-events.ts';
import type { RtpStream, Place } from './rtp-stream.ts';
import type { Timeline } from './timeline.ts';

/** Packets that come at most this much behind are put in their place: 2 s. */
export const REORDER_WINDOW = 2 * CLOCK_RATE;

/** What a leg needs from the capture it belongs to. */
export interface LegHost {
  readonly timeline: Timeline;
  /** Makes the lane for the first audio of a leg in a law, `position` being where it starts. */
  openLane(leg: Leg, law: Law, position: number): LegLane;
  /** Makes the lane for the first packet of a leg in a codec that is not G.711. */
  openPackets(leg: Leg, codec: Codec, position: number): PacketLane;
  /** Where the packet in hand came from and went to. */
  routeOf(leg: Leg): Route;
  /** `address:port` of the sender of the packet in hand. */
  sourceOf(leg: Leg): string;
  /** A key was pressed on the leg, at an epoch time. */
  pressed(leg: Leg, key: string, at: number): void;
  /** Listens for tones on the leg, where somebody asked for that. */
  tonesOf?(leg: Leg): InBandTones | undefined;
}

// Scratch for every leg of this thread: a packet is done with before the next one is read.
const packet = new RtpPacket();
const place: Place = { arrival: 0, end: 0, floor: 0, switched: false };

/**
 * One line of a call: takes its packets, puts their octets where their timestamps say, and counts. Two sources that send at
 * once share the line: whoever continues goes first, what would lie upon recorded audio is rejected, never mixed.
 */
export class Leg implements AlignableLeg {
  readonly line: number;
  readonly role: CaptureLine['role'];
  /** Whom the line listens to; asked before `take`. */
  readonly gate: SourceGate;
  readonly #host: LegHost;
  readonly #coverage = new Coverage();
  #kinds: PayloadKinds = STATIC_KINDS;
  readonly sources = new LegSources();
  readonly reports = new LegReports();
  #lastPlaced: RtpStream | undefined;
  readonly #run: AudioRun;
  #pcma: LegLane | undefined;
  #pcmu: LegLane | undefined;
  readonly #keeper: PacketKeeper;
  readonly #keys = new TelephoneEvents();
  readonly #tones: InBandTones | undefined;
  /** Position since which the client pauses the line. */
  #pausedSince: number | undefined;
  #sourceKey: number | undefined;

  readonly #codecs: string[] = [];
  #late = 0;
  #duplicate = 0;
  #reordered = 0;
  #whilePaused = 0;
  #rejected = 0;
  #unwritten = 0;
  #telephoneEvents = 0;
  #comfortNoise = 0;
  #octets = 0;
  #unauthentic = 0;
  #beforeKeys = 0;
  /** Datagrams of any kind, those of nobody we know excepted. */
  packets = 0;
  /** Crypto suite, where the leg is encrypted. */
  encryption: string | undefined;
  /** How its handshake stands, where its keys come from one. */
  keyExchange: string | undefined;
  /** How the client's checks went, where it speaks ICE. */
  connectivity: string | undefined;
  /** Checks of ICE that were answered with yes; they are no packets. */
  checks = 0;

  constructor(line: CaptureLine, host: LegHost) {
    this.line = line.line;
    this.role = line.role;
    this.#host = host;
    this.#keeper = new PacketKeeper(
      {
        openPackets: (codec, position) => host.openPackets(this, codec, position),
        route: () => host.routeOf(this),
      },
      this.#coverage,
      this.#codecs,
    );
    this.#run = new AudioRun(this.#coverage, host.timeline);
    this.gate = new SourceGate(line.sources);
    this.#tones = host.tonesOf?.(this);
    this.addFormats(line.formats);
    if (!line.active) this.#pausedSince = 0;
  }

  /** First position after everything recorded or paused. */
  get end(): number {
    return this.#coverage.end;
  }

  /** As `LaneSource`'s. */
  get whole(): number {
    return this.#coverage.whole;
  }

  /** Formats of a re-offer join those known, since packets of the old ones may still be on their way. */
  addFormats(formats: readonly PayloadFormat[]): void {
    this.#run.interrupt();
    this.#kinds = withFormats(this.#kinds, formats);
    for (const format of formats) {
      const kind = kindOf(format);
      if (kind === 'packets') this.#keeper.announce(format);
      else if (kind === 'event') this.#keys.announce(format);
    }
  }

  /** Pauses or resumes from `position` on; repeating it changes nothing. */
  setActive(active: boolean, position: number): void {
    if (!active) {
      this.#pausedSince ??= position;
      return;
    }
    if (this.#pausedSince === undefined) return;
    this.#coverage.pause(this.#pausedSince, position);
    this.#pausedSince = undefined;
    this.sources.interrupt();
  }

  /** Takes the datagrams that follow those before them in the ordinary way; see `RunSink`. Never throws, allocates nothing. */
  takeRun(run: ArrivalRun, from: number, to: number): number {
    if (run.sourceKey !== this.#sourceKey || this.#pausedSince !== undefined) return 0;
    // Whoever listens for tones hears every packet.
    if (this.#tones !== undefined) return 0;
    const count = this.#run.take(run, from, to);
    this.packets += count;
    this.#octets += count * this.#run.length;
    return count;
  }

  /** Takes one datagram. Never throws, allocates nothing in the ordinary case. */
  take(arrival: Arrival): void {
    this.packets++;
    if (
      readRtp(arrival.slab, arrival.start, arrival.end, packet) !== undefined ||
      isRtcp(packet.payloadType)
    ) {
      this.#rejected++;
      return;
    }
    const kind = this.#kinds[packet.payloadType] ?? 'unknown';
    // A payload nobody announced does not displace a source.
    const stream = this.sources.of(packet.ssrc, kind === 'unknown');
    if (stream === undefined) {
      this.#rejected++;
      return;
    }
    if (stream !== this.#lastPlaced) this.#run.interrupt();
    if (arrival.sourceKey !== this.#sourceKey) this.#noteSource(arrival.sourceKey);
    // Without payload it keeps a NAT binding alive (RFC 6263 §4.1) and says nothing about the law to come.
    if (packet.payloadStart === packet.payloadEnd) this.#takeOther(arrival, stream, 'empty');
    else if (kind === 'PCMA' || kind === 'PCMU') this.#takeAudio(arrival, stream, kind);
    else if (kind === 'packets' || kind === 'unknown') this.#takePacket(arrival, stream);
    else this.#takeOther(arrival, stream, kind);
  }

  /** Counts a packet of an encrypted leg that nobody may hear: one that was here before, or one that no key fits. */
  turnAway(why: Refusal): void {
    if (why === 'repeated') {
      this.#duplicate++;
      return;
    }
    this.#rejected++;
    if (why === 'early') this.#beforeKeys++;
    else this.#unauthentic++;
  }

  /** Gaps before `position` are final. */
  settle(position: number): void {
    this.#coverage.settle(position);
  }

  senderClock(): SenderClock | undefined {
    const [stream] = this.sources.streams;
    const report = stream && this.reports.of(stream.ssrc);
    if (stream === undefined || report === undefined || report.wallClock === 0) return undefined;
    const position = stream.positionOf(report.timestamp);
    if (position === undefined) return undefined;
    const said = this.#host.timeline.ticksOf(report.wallClock);
    // What drift will move at the next gap is no delay.
    const delay = position + stream.drift.value - said;
    return { delay, name: report.name, host: splitSource(report.from)?.address ?? '' };
  }

  move(by: number): number {
    const { firstSample: first = NaN, end } = this.#coverage;
    const [stream] = this.sources.streams;
    const lane = this.#onlyLane();
    if (lane === undefined || stream === undefined || !this.#coverage.movable) return 0;
    const floor = lane instanceof PacketLane ? lane.base : lane.floor;
    const far = Math.max(Math.round(by), floor - first);
    if (far === 0 || first < floor || !moveLane(lane, { from: first, to: end }, far)) return 0;
    this.#coverage.move(far);
    stream.shift(far);
    return far;
  }

  /** The lane of a leg that has had one source and one codec only, as legs have at the beginning of a call and hardly later. */
  #onlyLane(): LegLane | PacketLane | undefined {
    const lanes = [this.#pcma, this.#pcmu, ...this.#keeper.lanes].filter((lane) => lane !== undefined);
    return lanes.length === 1 && this.sources.streams.length === 1 ? lanes[0] : undefined;
  }

  setLate(ticks: number): void {
    const [stream] = this.sources.streams;
    if (stream !== undefined) stream.late = ticks;
  }

  /** Gives up the memory of its audio, which has been written. */
  clear(): void {
    for (const lane of [this.#pcma, this.#pcmu]) lane?.ring.clear();
  }

  /** Ends the leg at `total` samples and gives its statistics. */
  finish(total: number): LegStatistics {
    if (this.#pausedSince !== undefined) this.#coverage.pause(this.#pausedSince, total);
    this.#coverage.finish(total, REORDER_WINDOW);
    return this.statistics();
  }

  /** What totals are made of. */
  get counts(): Pick<Required<LegStatistics>, 'octets' | 'late' | 'rejected' | 'unwritten' | 'unauthentic'> {
    return {
      octets: this.#octets,
      late: this.#late,
      rejected: this.#rejected,
      unwritten: this.#unwritten,
      unauthentic: this.#unauthentic,
    };
  }

  /** The counts so far; gaps only as far as they are settled. */
  statistics(): LegStatistics {
    return {
      line: this.line,
      role: this.role,
      codecs: [...this.#codecs],
      ...this.sources.statistics(),
      firstSample: this.#coverage.firstSample,
      late: this.#late,
      duplicate: this.#duplicate,
      reordered: this.#reordered,
      whilePaused: this.#whilePaused,
      rejected: this.#rejected,
      ...(this.#unwritten > 0 && { unwritten: this.#unwritten }),
      ...(this.gate.foreign > 0 && { foreign: this.gate.foreign, foreignSources: [...this.gate.strangers] }),
      ...(this.encryption !== undefined && {
        encryption: this.encryption,
        unauthentic: this.#unauthentic,
      }),
      ...(this.keyExchange !== undefined && {
        keyExchange: this.keyExchange,
        beforeKeys: this.#beforeKeys,
      }),
      ...(this.connectivity !== undefined && { connectivity: this.connectivity }),
      telephoneEvents: this.#telephoneEvents,
      comfortNoise: this.#comfortNoise,
      octets: this.#octets,
      gaps: [...this.#coverage.gaps],
      gapCount: this.#coverage.gapCount,
      reports: this.reports.counts,
    };
  }

  #takeAudio(arrival: Arrival, stream: RtpStream, law: Law): void {
    const at = this.#host.timeline.positionOf(arrival.at);
    const paused = this.#pausedSince !== undefined && at >= this.#pausedSince;
    if (stream.clockRate !== CLOCK_RATE) stream.retune(CLOCK_RATE);
    const verdict = paused
      ? stream.window.accept(packet.sequenceNumber)
      : stream.accept(packet.sequenceNumber, packet.timestamp);
    if (!this.#isNew(verdict)) return;
    if (verdict === 'restart') this.#restart(stream);
    stream.jitter.take(at, packet.timestamp);
    if (paused) {
      this.#whilePaused++;
      this.#coverage.skip();
    } else if (verdict === 'old') this.#placeStraggler(stream, law, at, arrival.slab);
    else this.#placeNext(stream, law, at, arrival.slab);
  }

  /** One packet of a codec that is not G.711. */
  #takePacket(arrival: Arrival, stream: RtpStream): void {
    const codec = this.#keeper.codecOf(packet.payloadType);
    const ticks = ticksOf(codec, arrival.slab, packet.payloadStart, packet.payloadEnd);
    // A G.729 packet that only describes silence (annex B), or what no decoder of the codec would take.
    if (ticks === 0) {
      this.#takeOther(arrival, stream, codec.keeping === 'g729' ? 'noise' : 'unknown');
      return;
    }
    const at = this.#host.timeline.positionOf(arrival.at);
    const paused = this.#pausedSince !== undefined && at >= this.#pausedSince;
    const byArrival = codec.keeping === 'dump';
    if (!byArrival && stream.clockRate !== codec.clockRate) stream.retune(codec.clockRate);
    const verdict = this.#takeSequence(stream, !paused && !byArrival);
    if (!this.#isNew(verdict)) return;
    if (!byArrival) stream.jitter.take(at, packet.timestamp, codec.clockRate);
    if (paused) {
      this.#whilePaused++;
      this.#coverage.skip();
      return;
    }
    place.switched = this.#lastPlaced !== undefined && this.#lastPlaced !== stream;
    const comparable = stream === this.#lastPlaced;
    this.#keep({ packet, arrival, stream, codec, ticks, at, comparable, place }, verdict === 'old');
  }

  #restart(stream: RtpStream): void {
    stream.restart();
    this.#run.interrupt();
    this.reports.forget(stream.ssrc);
    this.#lastPlaced = undefined;
  }

  /** `placed`: by its timestamp, which may show that the sender began anew. */
  #takeSequence(stream: RtpStream, placed: boolean): ReturnType<RtpStream['accept']> {
    const { sequenceNumber, timestamp } = packet;
    const verdict = placed ? stream.accept(sequenceNumber, timestamp) : stream.window.accept(sequenceNumber);
    if (verdict === 'restart') this.#restart(stream);
    return verdict;
  }

  #keep(hand: PacketInHand, straggler: boolean): void {
    const fate =
      hand.codec.keeping === 'dump'
        ? this.#keeper.dump(hand)
        : straggler
          ? this.#keeper.keepStraggler(hand, REORDER_WINDOW)
          : this.#keeper.keepNext(hand);
    if (fate === 'unwritten') this.#spill();
    else if (fate === 'late') this.#late++;
    else if (fate === 'rejected') this.#rejected++;
    // Kept as it came, for whoever may read it, but not known to be audio.
    if (hand.codec === UNKNOWN_CODEC) return;
    if (fate === 'kept' || fate === 'filled') this.#octets += packet.payloadEnd - packet.payloadStart;
    if (straggler && fate !== 'late') this.#reordered++;
    if (fate === 'kept') this.#lastPlaced = hand.stream;
  }

  /** Telephone events, comfort noise, payloads nobody announced and empty ones keep their place in the sequence and are no audio. */
  #takeOther(arrival: Arrival, stream: RtpStream, kind: PayloadKind): void {
    const verdict = stream.window.accept(packet.sequenceNumber);
    if (!this.#isNew(verdict)) return;
    if (verdict === 'old') {
      this.#reordered++;
      this.#coverage.skipOld(stream.window.extended);
    } else this.#coverage.skip();
    if (kind === 'event') this.#takeEvent(arrival, verdict === 'old');
    else if (kind === 'noise') this.#comfortNoise++;
    else if (kind === 'unknown') this.#rejected++;
  }

  #takeEvent(arrival: Arrival, straggler: boolean): void {
    this.#telephoneEvents++;
    const pressed = straggler ? undefined : this.#keys.take(packet, arrival.slab);
    if (pressed !== undefined) this.#host.pressed(this, pressed.key, arrival.at - pressed.downFor);
  }

  /** Counts what is not worth looking at further. */
  #isNew(verdict: ReturnType<RtpStream['accept']>): boolean {
    if (verdict === 'duplicate') this.#duplicate++;
    else if (verdict === 'beyond') this.#late++;
    else if (verdict === 'wild') this.#rejected++;
    else return true;
    return false;
  }

  #placeNext(stream: RtpStream, law: Law, at: number, slab: Buffer): void {
    const lane = this.#lane(law, at);
    const length = packet.payloadEnd - packet.payloadStart;
    const sequence = stream.window.extended;
    const end = this.#coverage.end;
    place.arrival = at;
    place.end = end;
    place.floor = lane.floor;
    place.switched = this.#lastPlaced !== undefined && this.#lastPlaced !== stream;
    const position = stream.advance(sequence, packet.timestamp, length, place);
    this.#tones?.take(slab.subarray(packet.payloadStart, packet.payloadEnd), law, position);
    const comparable = stream === this.#lastPlaced;
    // Where another source was first, or timestamps overlap, what is recorded stays.
    const inGap = position < end && this.#placeInGaps(lane, position, Math.min(position + length, end), slab);
    const from = Math.max(position, end);
    const blocked = from >= position + length || (position < end && !comparable);
    const room = blocked || lane.ring.reaches(position + length);
    if (blocked || !room) {
      if (!room && isDiskBehind(at, lane.ring.base)) this.#spill();
      else if (!inGap) this.#rejected++;
      return;
    }
    this.#write(lane, from, position + length, { slab, offset: packet.payloadStart - position });
    this.#coverage.extend(from, position + length, sequence, comparable);
    this.#lastPlaced = stream;
    this.#run.goOn(stream, lane, packet.payloadType);
  }

  #placeStraggler(stream: RtpStream, law: Law, at: number, slab: Buffer): void {
    const position = stream.locate(stream.window.extended, packet.timestamp);
    const lane = this.#lane(law, at);
    const length = packet.payloadEnd - packet.payloadStart;
    if (position === undefined || position < at - REORDER_WINDOW || position + length <= lane.floor) {
      this.#late++;
      return;
    }
    this.#reordered++;
    if (!this.#placeInGaps(lane, position, position + length, slab)) this.#rejected++;
  }

  #spill(): void {
    this.#unwritten++;
    this.#coverage.spill();
  }

  /** Fills what is still open of `[position, to)`; false when nothing was. */
  #placeInGaps(lane: LegLane, position: number, to: number, slab: Buffer): boolean {
    const from = Math.max(position, lane.ring.base, 0);
    const source = { slab, offset: packet.payloadStart - position };
    const sequence = this.sources.sequenceOf(packet.ssrc);
    const spans = lane.ring.reaches(to) ? this.#coverage.fill(from, to, sequence) : [];
    for (const span of spans) this.#write(lane, span.from, span.to, source);
    return spans.length > 0;
  }

  /** Copies the part `[from, to)` of the packet in hand; `offset` + position is its place in the slab. */
  #write(lane: LegLane, from: number, to: number, source: { slab: Buffer; offset: number }): void {
    lane.ring.put(from, source.slab, source.offset + from, source.offset + to);
    lane.writer?.touch(from);
    this.#octets += to - from;
  }

  #lane(law: Law, position: number): LegLane {
    const there = law === 'PCMA' ? this.#pcma : this.#pcmu;
    if (there !== undefined) return there;
    const lane = this.#host.openLane(this, law, position);
    if (law === 'PCMA') this.#pcma = lane;
    else this.#pcmu = lane;
    this.#codecs.push(law);
    return lane;
  }

  #noteSource(key: number): void {
    this.#sourceKey = key;
    this.sources.noteAddress(this.#host.sourceOf(this));
  }
}

/** Moves what a lane holds; false where it has no room, or stands where it arrived (a dump). */
function moveLane(lane: LegLane | PacketLane, { from, to }: Span, far: number): boolean {
  if (lane instanceof PacketLane) {
    if (lane.codec.keeping === 'dump' || !lane.reaches(to + far)) return false;
    lane.move(far);
    return true;
  }
  if (!lane.ring.reaches(to + far)) return false;
  lane.ring.move(from, to, far);
  lane.writer?.touch(Math.min(from, from + far));
  return true;
}
