import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { nodeDisk, USUAL_RHYTHM, type AudioDisk, type DiskRhythm } from './audio-disk.ts';
import type {
  CaptureChange,
  CaptureLine,
  CaptureRequest,
  CaptureResult,
  MediaHost,
  MediaTotals,
  OpenedCapture,
} from './capture.ts';
import { DueList } from './due-list.ts';
import { DtlsDesk } from './dtls/dtls-desk.ts';
import type { DtlsIdentity } from './dtls/dtls-identity.ts';
import { LineRoute } from './line-route.ts';
import { eraseSecurity } from './line-security.ts';
import { LiveCapture } from './live-capture.ts';
import { MediaError } from './media-error.ts';
import type { Receiver, ReceiverSocket } from './receiver/receiver.ts';
import { SLICES } from './receiver/sweep-wheel.ts';
import type { PressedKey, Segment } from './capture.ts';
import { FolderCheck } from './folder-check.ts';
import { SteadyClock } from './steady-clock.ts';
import { TroubledLegs } from './troubled-legs.ts';

/** Packets still in flight when a call ends are waited for this long, in ms. */
const LINGER = 100;

/** Ports tried before giving up, when other programs use ours. */
const PORT_TRIES = 500;

/**
 * So many ticks later every socket has been swept, also when the thread was held up in between: some turns more than
 * one round of the sweep.
 */
const TICKS_TO_SWEEP = SLICES + 5;

/** Captures are written in turn: each has its place in the interval, one of so many. */
const TURNS = 50;

/** Even ports for RTP; a port given back at a time rests before it is taken again (RTP-10). */
interface PortSource {
  take(wanted?: number): number | undefined;
  giveBack(port: number, at: number): void;
}

export interface EngineParts {
  readonly receiver: Receiver;
  readonly ports: PortSource;
  /** Epoch milliseconds with fraction, the clock of the arrivals. */
  readonly now: () => number;
  /** Milliseconds from any start that nobody can set; default `performance.now`. */
  readonly steady?: () => number;
  readonly fs?: AudioDisk;
  /** Default `USUAL_RHYTHM`. */
  readonly rhythm?: DiskRhythm;
  readonly sleep?: (ms: number) => Promise<void>;
  /** Our certificate; without one DTLS lines cannot be heard. */
  readonly dtls?: DtlsIdentity | undefined;
  /** Lines for the operator. */
  readonly log?: (line: string) => void;
}

interface Running {
  readonly capture: LiveCapture;
  readonly bind: string;
  /** By line. */
  readonly routes: Map<number, LineRoute>;
  /** Steady time of the next reports to the client. */
  reportDue: number;
  /** Set once the end has begun. */
  ending?: Promise<CaptureResult>;
}

/** Captures calls in the thread it is made in. Whoever owns the thread calls `tick` every 20 ms. */
export class CaptureEngine implements MediaHost {
  readonly #parts: EngineParts;
  readonly #disk: AudioDisk;
  readonly #folders: FolderCheck;
  readonly #sleep: (ms: number) => Promise<void>;
  readonly #clock: SteadyClock;
  readonly #desk: DtlsDesk;
  readonly #running = new Map<string, Running>();
  readonly #due = new DueList<Running>();
  readonly #names = new WeakMap<LiveCapture, string>();
  readonly #troubled = new TroubledLegs();
  readonly #listeners: ((id: string, error: Error) => void)[] = [];
  readonly #keyListeners: ((id: string, key: PressedKey) => void)[] = [];
  readonly #segmentListeners: ((id: string, segment: Segment) => void)[] = [];
  /** Steady times of the last ticks, a ring. */
  readonly #tickTimes = new Float64Array(TICKS_TO_SWEEP);
  #ticks = 0;
  /** Those whose figures are in `#past` already. */
  readonly #finished = new WeakSet<LiveCapture>();
  #opened = 0;
  #stopped = false;
  readonly #past = {
    packets: 0,
    octets: 0,
    lost: 0,
    late: 0,
    rejected: 0,
    unwritten: 0,
    foreign: 0,
    unauthentic: 0,
  };

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#disk = parts.fs ?? nodeDisk;
    this.#folders = new FolderCheck(this.#disk, parts.steady ?? (() => performance.now()));
    this.#sleep = parts.sleep ?? ((ms) => delay(ms));
    this.#clock = new SteadyClock(parts.now(), parts.steady ?? (() => performance.now()));
    this.#desk = new DtlsDesk(parts.dtls, parts.log ?? (() => undefined));
  }

  async open(request: CaptureRequest): Promise<OpenedCapture> {
    await this.#checkRequest(request);
    const capture = this.#begin(request);
    const running: Running = this.#run(capture, request.bind, new Map());
    this.#enlist(request.id, running);
    try {
      for (const line of request.lines) await this.#openLine(running, line);
    } catch (error) {
      this.#closePorts(running);
      this.#strike(request.id);
      throw error;
    } finally {
      eraseKeys(request.lines);
    }
    this.#opened++;
    return opened(capture);
  }

  async change(change: CaptureChange): Promise<OpenedCapture> {
    const running = this.#find(change.id);
    if (running.ending !== undefined) throw new MediaError('BAD_REQUEST', `${change.id} has ended`);
    checkLines(change.lines);
    this.#clock.update(this.#parts.now());
    const { capture } = running;
    if (change.key !== undefined) capture.press(change.key, change.at);
    for (const line of change.lines) {
      const leg = capture.leg(line.line);
      if (leg === undefined) {
        await this.#openLine(running, line);
      } else {
        leg.addFormats(line.formats);
        leg.gate.allow(line.sources);
        leg.setActive(line.active, capture.timeline.positionOf(change.at));
        const { receiver } = this.#parts;
        await running.routes.get(line.line)?.change(line, change.at, { receiver, bind: running.bind });
      }
    }
    eraseKeys(change.lines);
    for (const line of change.gone ?? []) this.#closeLine(running, line);
    return opened(capture);
  }

  async succeed(id: string, next: CaptureRequest): Promise<OpenedCapture> {
    const running = this.#find(id);
    await this.#checkRequest(next);
    const { capture, routes, bind } = running;
    await Promise.allSettled([...capture.sockets.values()].map((socket) => socket.drain()));
    const named = new Set(next.lines.map(({ line }) => line));
    const known = [...capture.sockets.keys()];
    if (
      running.ending !== undefined ||
      named.size !== known.length ||
      !known.every((line) => named.has(line))
    )
      throw new MediaError('BAD_REQUEST', `${next.id} cannot succeed ${id}: it has ended or has other lines`);
    // Nothing is awaited from here to the end: no packet comes in between.
    const successor = this.#begin(next);
    for (const line of next.lines) {
      const leg = successor.addLeg(line);
      const socket = capture.sockets.get(line.line);
      if (socket !== undefined) successor.connect(leg, socket);
      const route = routes.get(line.line) ?? new LineRoute(successor, leg, this.#desk);
      routes.set(line.line, Object.assign(route, { capture: successor, leg }));
      // Keys change at once; only a port for reports takes a moment, and nobody waits for it.
      void route.change(line, successor.startedAt, { receiver: this.#parts.receiver, bind });
    }
    eraseKeys(next.lines);
    capture.letGo();
    this.#enlist(next.id, this.#run(successor, bind, routes));
    this.#opened++;
    running.ending = this.#finish(capture, successor.startedAt);
    // Whoever closes it hears of an error.
    running.ending.catch(() => undefined);
    return opened(successor);
  }

  async close(id: string, at: number, cut = false): Promise<CaptureResult> {
    const running = this.#find(id);
    running.ending ??= this.#end(running, at, cut);
    try {
      return await running.ending;
    } finally {
      this.#strike(id);
    }
  }

  /** Writes what is due. Call it after every sweep, at least every 100 ms. */
  tick(now: number): void {
    const steady = this.#clock.update(now);
    const turn = this.#ticks++ % TICKS_TO_SWEEP;
    const swept = this.#tickTimes[turn] ?? 0;
    this.#tickTimes[turn] = steady;
    this.#due.visit(steady, (running) => {
      running.capture.tick(steady, swept);
      if (steady >= running.reportDue) this.#report(running, steady);
      return Math.min(running.capture.due, running.reportDue);
    });
    this.#desk.work(steady);
  }

  totals(): Promise<MediaTotals> {
    const sum = { ...this.#past };
    for (const { capture } of this.#running.values())
      if (!this.#finished.has(capture)) this.#addTo(sum, capture);
    // The time the loop was not idle: an upper bound of the thread's CPU time, which Node 20 does not tell.
    const cpuSeconds = performance.eventLoopUtilization().active / 1000;
    const handshakesFailed = this.#desk.failures;
    return Promise.resolve({
      captures: this.#opened,
      ...sum,
      handshakesFailed,
      troubled: this.#troubled.list,
      cpuSeconds,
    });
  }

  silence(id: string): Promise<number> {
    const { capture } = this.#find(id);
    return Promise.resolve(capture.silentFor(this.#clock.update(this.#parts.now())));
  }

  onFailure(listener: (id: string, error: Error) => void): void {
    this.#listeners.push(listener);
  }

  onKey(listener: (id: string, key: PressedKey) => void): void {
    this.#keyListeners.push(listener);
  }

  onSegment(listener: (id: string, segment: Segment) => void): void {
    this.#segmentListeners.push(listener);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const at = this.#parts.now();
    try {
      await Promise.allSettled([...this.#running.keys()].map((id) => this.close(id, at)));
    } finally {
      this.#desk.destroy();
      this.#parts.receiver.stop();
    }
  }

  #run(capture: LiveCapture, bind: string, routes: Map<number, LineRoute>): Running {
    const now = this.#clock.update(this.#parts.now());
    // The first report comes after half the time (RFC 3550 §6.2).
    return { capture, bind, routes, reportDue: now + reportPause() / 2 };
  }

  #enlist(id: string, running: Running): void {
    this.#running.set(id, running);
    this.#due.add(running, Math.min(running.capture.due, running.reportDue));
  }

  #strike(id: string): void {
    const running = this.#running.get(id);
    if (running !== undefined) this.#due.remove(running);
    this.#running.delete(id);
  }

  #report(running: Running, steady: number): void {
    running.reportDue = running.ending === undefined ? steady + reportPause() : Infinity;
    if (running.ending !== undefined) return;
    for (const route of running.routes.values()) route.report(this.#parts.now());
  }

  async #end(running: Running, at: number, cut: boolean): Promise<CaptureResult> {
    const { capture, routes } = running;
    const wait = at + LINGER - this.#parts.now();
    // A clock that was set back must not keep a call open.
    if (wait > 0) await this.#sleep(Math.min(wait, LINGER));
    const drained = [...capture.sockets.values(), ...routes.values()].map((port) => port.drain());
    await Promise.allSettled(drained);
    this.#leave(capture, routes);
    this.#closePorts(running);
    this.#clock.update(this.#parts.now());
    return this.#finish(capture, at, cut);
  }

  /** A last report that cannot be sent is no reason not to finish. */
  #leave(capture: LiveCapture, routes: ReadonlyMap<number, LineRoute>): void {
    try {
      for (const route of routes.values()) route.leave(this.#parts.now());
    } catch (error) {
      capture.fail(error as Error);
    }
  }

  async #finish(capture: LiveCapture, at: number, cut = false): Promise<CaptureResult> {
    try {
      return await capture.finish(at, cut);
    } finally {
      this.#addTo(this.#past, capture);
      this.#finished.add(capture);
      capture.clear();
    }
  }

  #addTo(sum: Sums, capture: LiveCapture): void {
    addTo(sum, capture);
    const legs = [...capture.legs].map(({ line, role, counts }) => ({
      line,
      role,
      unwritten: counts.unwritten,
    }));
    const dropped = (line: number): number | undefined => capture.sockets.get(line)?.overruns;
    this.#troubled.take(this.#names.get(capture) ?? '', legs, dropped, this.#parts.now());
  }

  async #checkRequest(request: CaptureRequest): Promise<void> {
    this.#checkNew(request);
    checkLines(request.lines);
    await this.#folders.check(request.folder);
    // Meanwhile another may have taken the name.
    this.#checkNew(request);
  }

  #checkNew({ id }: CaptureRequest): void {
    if (this.#stopped) throw new MediaError('STOPPED', id);
    if (this.#running.has(id)) throw new MediaError('BAD_REQUEST', `${id} is already running`);
  }

  #begin({ id, folder, layout, mayBeCut, stopKeys, tones }: CaptureRequest): LiveCapture {
    const startedAt = this.#parts.now();
    this.#clock.update(startedAt);
    const capture = new LiveCapture(
      { folder, startedAt, layout, mayBeCut, stopKeys, tones, turn: (1 + (this.#opened % TURNS)) / TURNS },
      {
        clock: this.#clock,
        disk: this.#disk,
        rhythm: this.#parts.rhythm ?? USUAL_RHYTHM,
        sleep: this.#sleep,
        onFailure: (error) => {
          for (const listener of this.#listeners) listener(id, error);
        },
        onKey: (key) => {
          for (const listener of this.#keyListeners) listener(id, key);
        },
        onSegment: (segment) => {
          for (const listener of this.#segmentListeners) listener(id, segment);
        },
      },
    );
    this.#names.set(capture, id);
    return capture;
  }

  async #openLine(running: Running, line: CaptureLine): Promise<void> {
    const { capture, bind } = running;
    const leg = capture.addLeg(line);
    const route = new LineRoute(capture, leg, this.#desk);
    running.routes.set(line.line, route);
    route.secure(line, capture.startedAt);
    capture.connect(leg, await this.#openPair(bind, route, line));
    if (running.ending === undefined) return;
    // The call ended while the port was being opened; its sockets are closed already.
    this.#closePorts(running);
    throw new MediaError('STOPPED', 'the capture has ended');
  }

  async #openPair(bind: string, route: LineRoute, line: CaptureLine): Promise<ReceiverSocket> {
    const { receiver, ports, now } = this.#parts;
    const wanted = line.port;
    for (let tries = 0; tries < (wanted === undefined ? PORT_TRIES : 1); tries++) {
      const port = ports.take(wanted);
      if (port === undefined) break;
      try {
        return await route.open({ receiver, bind, port }, line);
      } catch (error) {
        ports.giveBack(port, now());
        if ((error as { readonly code?: string }).code !== 'PORT_TAKEN') throw error;
      }
    }
    throw new MediaError(
      'NO_PORTS',
      `no free port on ${bind}${wanted === undefined ? '' : `: ${wanted} is wanted`}`,
    );
  }

  #closePorts({ capture, routes }: Running): void {
    for (const route of routes.values()) route.close();
    for (const socket of capture.sockets.values()) this.#closeSocket(socket);
  }

  #closeSocket(socket: ReceiverSocket): void {
    socket.close();
    this.#parts.ports.giveBack(socket.port, this.#parts.now());
  }

  #closeLine({ capture, routes }: Running, line: number): void {
    routes.get(line)?.close();
    routes.delete(line);
    const socket = capture.sockets.get(line);
    if (socket !== undefined) this.#closeSocket(socket);
    capture.removeLeg(line);
  }

  #find(id: string): Running {
    const running = this.#running.get(id);
    if (running === undefined) throw new MediaError('BAD_REQUEST', `no capture ${id}`);
    return running;
  }
}

/** Ms to the next reports: 5 s on the average, never the same, so that the reports of many calls do not come at once (RFC 3550 §6.3.1). */
const reportPause = (): number => 5000 * (0.5 + Math.random());

/** The keys that came with a request have been taken over; two lines may have the same ones. */
function eraseKeys(lines: readonly CaptureLine[]): void {
  for (const { security } of lines)
    if (security !== undefined && security !== 'unchanged') eraseSecurity(security);
}

const opened = (capture: LiveCapture): OpenedCapture => ({
  startedAt: capture.startedAt,
  lines: [...capture.sockets].map(([line, socket]) => ({ line, port: socket.port })),
});

function checkLines(lines: readonly CaptureLine[]): void {
  if (new Set(lines.map((line) => line.line)).size !== lines.length)
    throw new MediaError('BAD_REQUEST', 'a line is named twice');
  for (const { payloadType } of lines.flatMap((line) => line.formats))
    if (!Number.isInteger(payloadType) || payloadType < 0 || payloadType > 127)
      throw new MediaError('BAD_REQUEST', `payload type ${payloadType}`);
}

/** What a capture does not count. */
type NotSummed = 'captures' | 'handshakesFailed' | 'troubled' | 'cpuSeconds';
type Sums = { -readonly [Key in keyof Omit<MediaTotals, NotSummed>]: number };

function addTo(sum: Sums, capture: LiveCapture): void {
  sum.packets += capture.packets;
  for (const leg of capture.legs) {
    const { expected, received } = leg.sources.counts;
    sum.lost += expected - received;
    sum.octets += leg.counts.octets;
    sum.late += leg.counts.late;
    sum.rejected += leg.counts.rejected;
    sum.unwritten += leg.counts.unwritten;
    sum.foreign += leg.gate.foreign;
    sum.unauthentic += leg.counts.unauthentic;
  }
}
