import type { AudioDisk, DiskRhythm } from './audio-disk.ts';
import {
  CLOCK_RATE,
  type CapturedFile,
  type CaptureLine,
  type CaptureResult,
  type LegStatistics,
} from './capture.ts';
import type { Codec } from './codec.ts';
import type { Law } from './g711.ts';
import { alignLegs } from './leg-alignment.ts';
import { Leg, REORDER_WINDOW, type LegHost } from './leg.ts';
import { addLevels } from './levels.ts';
import { InBandTones } from './in-band-tones.ts';
import { LegLane } from './leg-lane.ts';
import { PacketLane } from './packet-lane.ts';
import type { Route } from './pcap.ts';
import type { ReceiverSocket } from './receiver/receiver.ts';
import type { PressedKey, Segment } from './capture.ts';
import { SEGMENT_SECONDS, SegmentMarks } from './segment-marks.ts';
import type { SteadyClock } from './steady-clock.ts';
import { Timeline } from './timeline.ts';
import { TrackLayout, type AnyTrack } from './track-layout.ts';
import { WriteHold } from './write-hold.ts';

/** While a file has to catch up (a law that starts late begins with silence from position 0), in ms. */
const CATCH_UP_INTERVAL = 20;

/** A leg that begins keeps room for this much before its first packet, which others may have overtaken. */
const ROOM_BEFORE = REORDER_WINDOW + CLOCK_RATE / 2;

/** What the kernel has given a time of arrival is in the queue of its socket so many ms later, whatever else the kernel does. */
const ON_ITS_WAY = 100;

/** How often a disk that refuses is asked again at the end of a call. */
const LAST_TRIES = 5;
const LAST_TRIES_WAIT = 200;

export interface CaptureSurroundings {
  readonly clock: SteadyClock;
  readonly disk: AudioDisk;
  readonly rhythm: DiskRhythm;
  readonly sleep: (ms: number) => Promise<void>;
  /** Called once, when the disk first refuses. */
  readonly onFailure: (error: Error) => void;
  readonly onKey: (key: PressedKey) => void;
  readonly onSegment: (segment: Segment) => void;
}

export interface CaptureStart {
  readonly folder: string;
  /** Wall clock; position 0. */
  readonly startedAt: number;
  readonly layout?: 'stereo' | 'per-leg' | undefined;
  /** Its end may lie in what is final already, see `CaptureRequest`. */
  readonly mayBeCut?: boolean | undefined;
  /** See `CaptureRequest`. */
  readonly stopKeys?: string | undefined;
  /** See `CaptureRequest`. */
  readonly tones?: boolean | undefined;
  /** Which part of every interval, 0 to 1, belongs to this capture: spreads them, so that the disk has something to do all the time. */
  readonly turn: number;
}

/** One running capture: its legs, its files, and when to write. */
export class LiveCapture implements LegHost {
  readonly startedAt: number;
  readonly timeline: Timeline;
  readonly #surroundings: CaptureSurroundings;
  readonly #layout: TrackLayout;
  readonly #tones: boolean;
  readonly #legs = new Map<number, Leg>();
  readonly #removed: Leg[] = [];
  readonly #sockets = new Map<number, ReceiverSocket>();
  /** Positions that a leg holds at most. */
  readonly #limit: number | undefined;
  /** Steady times of the next write: when it is due, and when its turn is, which stays what it is while something is caught up. */
  #due: number;
  #turn: number;
  #syncDue: number;
  readonly #marks: SegmentMarks;
  /** Absent where nobody can stop the recording by keys. */
  readonly #hold: WriteHold | undefined;
  /** When datagrams were last counted and there were more (steady time), and how many there were. */
  #heardAt: number;
  #heard = 0;
  /** Sender reports of all legs when they were last aligned. */
  #reports = 0;
  #failed = false;
  #finishing = false;

  constructor(start: CaptureStart, surroundings: CaptureSurroundings) {
    this.startedAt = start.startedAt;
    this.#surroundings = surroundings;
    this.#tones = start.tones === true;
    this.timeline = new Timeline(surroundings.clock, start.startedAt);
    const { origin } = this.timeline;
    const { flushSeconds, syncSeconds, bufferSeconds, segmentSeconds } = surroundings.rhythm;
    this.#limit =
      bufferSeconds === undefined ? undefined : bufferSeconds * CLOCK_RATE + ROOM_BEFORE + CLOCK_RATE;
    if (start.stopKeys !== undefined)
      this.#hold = new WriteHold(start.stopKeys, (bufferSeconds ?? Infinity) - flushSeconds);
    this.#turn = this.#due = origin + start.turn * flushSeconds * 1000;
    this.#syncDue = origin + (1 + start.turn) * syncSeconds * 1000;
    this.#heardAt = origin;
    this.#marks = new SegmentMarks(
      origin + start.turn * flushSeconds * 1000,
      segmentSeconds ?? SEGMENT_SECONDS,
      surroundings.onSegment,
    );
    this.#layout = new TrackLayout(start.folder, surroundings.disk, {
      apart: start.layout === 'per-leg',
      mayBeCut: start.mayBeCut === true,
    });
  }

  /** Steady time at which `tick` has something to do. */
  get due(): number {
    return this.#finishing ? Infinity : this.#due;
  }

  /** Ports by line, in order of the lines' first offer. */
  get sockets(): ReadonlyMap<number, ReceiverSocket> {
    return this.#sockets;
  }

  sourceOf(leg: Leg): string {
    return this.#sockets.get(leg.line)?.sourceAddress() ?? '';
  }

  openLane(leg: Leg, law: Law, position: number): LegLane {
    // The base is set twice: here for a new file, and by the file when it is already further.
    const lane = new LegLane(leg.line, law, Math.max(0, position - ROOM_BEFORE), this.#limit);
    const track = this.#layout.place(leg, lane);
    lane.ring.release(track.final);
    lane.settle(track.final);
    lane.writer = track;
    lane.source = leg;
    return lane;
  }

  openPackets(leg: Leg, codec: Codec, position: number): PacketLane {
    const lane = new PacketLane(leg.line, codec, Math.max(0, position - ROOM_BEFORE), this.#limit);
    const track = this.#layout.placePackets(leg, lane);
    lane.base = Math.max(lane.base, track.final);
    return lane;
  }

  routeOf(leg: Leg): Route {
    return { source: this.sourceOf(leg), port: this.#sockets.get(leg.line)?.port ?? 0 };
  }

  pressed(leg: Leg, key: string, at: number): void {
    this.press(key, at);
    this.#surroundings.onKey({ key, at, line: leg.line });
  }

  tonesOf(leg: Leg): InBandTones | undefined {
    if (!this.#tones) return undefined;
    const { line } = leg;
    return new InBandTones((key, position) => {
      const at = this.startedAt + (position * 1000) / CLOCK_RATE;
      this.#hold?.press(key, position);
      this.#surroundings.onKey({ key, at, line, tone: true });
    });
  }

  /** Somebody pressed a key, at an epoch time. */
  press(key: string, at: number): void {
    this.#hold?.press(key, this.timeline.positionOf(at));
  }

  leg(line: number): Leg | undefined {
    return this.#legs.get(line);
  }

  /** Makes the leg of a line; its socket comes afterwards with `connect`. */
  addLeg(line: CaptureLine): Leg {
    const leg = new Leg(line, this);
    this.#legs.set(line.line, leg);
    this.#layout.announce(leg);
    return leg;
  }

  /** Forgets a leg that nothing is to be kept of; its socket is closed already. */
  removeLeg(line: number): void {
    const leg = this.#legs.get(line);
    if (leg !== undefined) this.#removed.push(leg);
    this.#legs.delete(line);
    this.#sockets.delete(line);
    this.#layout.withdraw(line);
  }

  connect(leg: Leg, socket: ReceiverSocket): void {
    this.#sockets.set(leg.line, socket);
  }

  /** Gives up the memory of its audio once it is finished, well or not. */
  clear(): void {
    for (const leg of [...this.#legs.values(), ...this.#removed]) leg.clear();
  }

  /** Gives up its sockets: another capture has them now. */
  letGo(): void {
    this.#sockets.clear();
  }

  /** Reports something that went wrong, the first time only. */
  fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#surroundings.onFailure(error);
  }

  /**
   * Writes when it is time to. `now` and `round` are steady times; everything that arrived before `round` has been taken, so
   * what is older by the reordering window is final.
   */
  tick(now: number, round: number): void {
    if (now < this.#due || this.#finishing) return;
    if (this.#surroundings.disk.busy === true || this.#layout.tracks.some((track) => track.isOpening)) {
      this.#due = now + CATCH_UP_INTERVAL;
      return;
    }
    const swept = this.#catchUp() ? Math.max(round, now - ON_ITS_WAY) : round;
    this.#listen(now);
    this.#align();
    const limit = this.#writable(now, swept);
    const final = Math.min(limit, Math.max(0, this.timeline.positionAt(swept) - REORDER_WINDOW));
    for (const leg of this.#legs.values()) leg.settle(final);
    const done = this.#flush(this.timeline.positionAt(now), { final, limit });
    const { flushSeconds, syncSeconds } = this.#surroundings.rhythm;
    // What has to be caught up does not shift the turn: many that once waited together would stay together.
    if (done) this.#turn = nextTurn(this.#turn, flushSeconds * 1000, now);
    this.#due = done ? this.#turn : now + CATCH_UP_INTERVAL;
    this.#marks.tick(now, this.#layout.tracks);
    if (now < this.#syncDue) return;
    this.#syncDue = nextTurn(this.#syncDue, syncSeconds * 1000, now);
    this.#startSync();
  }

  /**
   * Ends the recording at wall-clock time `at`, or with the last sample if that is later, unless it is to be cut: then nothing that came
   * after `at` stays, neither in memory nor on the disk. Comes to an end even without a disk.
   */
  async finish(at: number, cut = false): Promise<CaptureResult> {
    this.#finishing = true;
    this.#marks.end();
    const legs = [...this.#legs.values()];
    const total = cut
      ? this.timeline.positionOf(at)
      : Math.max(this.timeline.positionOf(at), ...legs.map((leg) => leg.end));
    const files: CapturedFile[] = [];
    for (const track of this.#layout.tracks) {
      const file = await this.#finishTrack(track, total, cut);
      if (file !== undefined) files.push(file);
    }
    return {
      startedAt: this.startedAt,
      endedAt: at,
      files,
      legs: legs.map((leg) => this.#finishLeg(leg, total)).map((leg) => (cut ? before(leg, total) : leg)),
      ...(this.#layout.tracks.length === 0 && { untouched: true as const }),
    };
  }

  #finishLeg(leg: Leg, total: number): LegStatistics {
    const measured = this.#layout.tracks.flatMap((track) => track.levelsOf(leg.line) ?? []);
    const statistics = leg.finish(total);
    return measured.length === 0 ? statistics : { ...statistics, levels: measured.reduce(addLevels) };
  }

  get legs(): Iterable<Leg> {
    return this.#legs.values();
  }

  /** Datagrams of any kind on all lines. */
  get packets(): number {
    let sum = 0;
    for (const leg of this.#legs.values()) sum += leg.packets;
    return sum;
  }

  /** Milliseconds since a datagram was noticed; `now` is a steady time. */
  silentFor(now: number): number {
    this.#listen(now);
    return Math.max(0, now - this.#heardAt);
  }

  #listen(now: number): void {
    let signs = this.packets;
    // A client that checks its way to us has not gone, however silent it is.
    for (const leg of this.#legs.values()) signs += leg.checks;
    if (signs === this.#heard) return;
    this.#heard = signs;
    this.#heardAt = now;
  }

  /**
   * Takes what the kernel has, so that what is written next holds everything there is: of a killed process no more is lost than what came since
   * then. False where there may be more.
   */
  #catchUp(): boolean {
    let all = true;
    for (const socket of this.#sockets.values()) if (socket.hurry?.() !== true) all = false;
    return all;
  }

  /** Up to where may be written. Where keys count, nothing is before they have been looked for in what came with it. */
  #writable(now: number, swept: number): number {
    if (this.#hold === undefined) return Infinity;
    return Math.min(this.#hold.limit(this.timeline.positionAt(now)), this.timeline.positionAt(swept));
  }

  /** Once for every report that came: what they say stays true until the next one. */
  #align(): void {
    let reports = 0;
    for (const leg of this.#legs.values()) reports += leg.reports.changes;
    if (reports === this.#reports) return;
    this.#reports = reports;
    alignLegs([...this.#legs.values()]);
  }

  #startSync(): void {
    try {
      for (const track of this.#layout.tracks) track.startSync();
    } catch (error) {
      this.fail(error as Error);
    }
  }

  /** True when every file has what it should have; a file the disk refuses is tried again an interval later. */
  #flush(position: number, marks: { readonly final: number; readonly limit: number }): boolean {
    const { final, limit } = marks;
    let done = true;
    for (const track of this.#layout.tracks) {
      try {
        if (!track.flush(position, final, limit)) done = false;
      } catch (error) {
        this.fail(error as Error);
      }
    }
    return done;
  }

  async #finishTrack(track: AnyTrack, total: number, cut: boolean): Promise<CapturedFile | undefined> {
    for (let attempt = 1; attempt <= LAST_TRIES; attempt++) {
      try {
        do await track.settled();
        while (cut && !track.cutBack(total));
        do await track.settled();
        while (!track.flush(total, total));
        await track.settled();
        return await track.finish(total);
      } catch (error) {
        this.fail(error as Error);
        if (attempt < LAST_TRIES) await this.#surroundings.sleep(LAST_TRIES_WAIT);
      }
    }
    try {
      // The audio that reached the disk is still a recording, only shorter.
      track.cut();
      return await track.finish(total);
    } catch {
      track.abandon();
      return undefined;
    }
  }
}

/**
 * The first time after `now` that is whole intervals after `turn`. A capture keeps its turn however late it was: those that a busy moment brought
 * together would stay together, and their writes come all at once, for the rest of their calls.
 */
const nextTurn = (turn: number, interval: number, now: number): number =>
  turn + (Math.floor((now - turn) / interval) + 1) * interval;

/** Of a leg that was cut at `total`: what its figures say of the time after that is left out. */
function before(leg: LegStatistics, total: number): LegStatistics {
  const gaps = leg.gaps
    .filter(({ from }) => from < total)
    .map((gap) => ({ ...gap, to: Math.min(gap.to, total) }));
  const firstSample = leg.firstSample === undefined || leg.firstSample < total ? leg.firstSample : undefined;
  return { ...leg, firstSample, gaps, gapCount: leg.gapCount - (leg.gaps.length - gaps.length) };
}
