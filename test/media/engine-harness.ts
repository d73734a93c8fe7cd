import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AudioDisk, DiskRhythm } from '../../src/media/audio-disk.ts';
import type { CaptureLine, CaptureRequest, CaptureResult, LineRole } from '../../src/media/capture.ts';
import { CaptureEngine } from '../../src/media/capture-engine.ts';
import type { DtlsIdentity } from '../../src/media/dtls/dtls-identity.ts';
import { MediaError } from '../../src/media/media-error.ts';
import type {
  Arrival,
  ArrivalRun,
  PacketSink,
  Receiver,
  ReceiverSocket,
  RunSink,
  SocketOptions,
} from '../../src/media/receiver/receiver.ts';
import { octets, rtp, type RtpFields } from './rtp-builder.ts';

/** A receiver without sockets: the test puts datagrams into it by port. */
class FakeReceiver implements Receiver {
  readonly kind = 'dgram';
  readonly sinks = new Map<number, PacketSink>();
  readonly runs = new Map<number, RunSink>();
  /** Ports that another program uses. */
  readonly taken = new Set<number>();
  drained = 0;
  /** What the capture sent, in order. */
  readonly sent: { readonly port: number; readonly to: string; readonly datagram: Buffer }[] = [];
  /** Hands over what waits for its turn in the kernel; undefined: nothing waits for a turn. */
  hurry: (() => boolean) | undefined;
  /** What the kernel still has when a socket is drained. */
  inKernel: () => void = () => undefined;
  #source = '';
  readonly #arrival: Arrival = { slab: Buffer.alloc(70_000), start: 0, end: 0, at: 0, sourceKey: 0 };
  readonly #keys = new Map<string, number>();

  open(
    _address: string,
    port: number,
    sink: PacketSink,
    options: SocketOptions = {},
  ): Promise<ReceiverSocket> {
    if (this.taken.has(port)) return Promise.reject(new MediaError('PORT_TAKEN', String(port)));
    this.sinks.set(port, sink);
    if (options.runs !== undefined) this.runs.set(port, options.runs);
    return Promise.resolve({
      port,
      sourceAddress: () => this.#source,
      drain: () => {
        this.drained++;
        this.inKernel();
        return Promise.resolve();
      },
      ...(this.hurry !== undefined && { hurry: this.hurry }),
      send: (datagram, to) => void this.sent.push({ port, to, datagram: Buffer.from(datagram) }),
      close: () => void this.sinks.delete(port),
    });
  }

  stop(): void {
    this.sinks.clear();
  }

  /** The key of a sender of whom datagrams come next. */
  comesFrom(source: string): number {
    this.#source = source;
    return this.keyOf(source);
  }

  keyOf(source: string): number {
    const key = this.#keys.get(source) ?? this.#keys.size + 1;
    this.#keys.set(source, key);
    return key;
  }

  /** Hands a datagram over; slab and arrival are overwritten by the next one, as a real receiver does. */
  deliver(port: number, at: number, datagram: Buffer, source = '192.0.2.1:4000'): void {
    this.#source = source;
    const arrival = this.#arrival;
    // An odd place in the slab, so that nobody relies on 0.
    arrival.slab.fill(0xee, 0, 100);
    datagram.copy(arrival.slab, 37);
    arrival.start = 37;
    arrival.end = 37 + datagram.length;
    arrival.at = at;
    arrival.sourceKey = this.keyOf(source);
    this.sinks.get(port)?.(arrival);
    arrival.slab.fill(0xee, 37, 37 + datagram.length);
  }
}

/** Datagrams that are taken in at once, with their times, as the batch receiver hands them over. Returns how many went in a run. */
export function deliverTogether(
  receiver: FakeReceiver,
  port: number,
  datagrams: readonly { readonly at: number; readonly bytes: Buffer }[],
  source = '192.0.2.1:4000',
): number {
  const stride = 2048;
  const slab = Buffer.alloc(datagrams.length * stride, 0xee);
  datagrams.forEach(({ bytes }, slot) => bytes.copy(slab, slot * stride));
  const run: ArrivalRun = {
    slab,
    words: new Int32Array(slab.buffer, slab.byteOffset, slab.length / 4),
    stride,
    lengths: Int32Array.from(datagrams, ({ bytes }) => bytes.length),
    times: Float64Array.from(datagrams, ({ at }) => at),
    sourceKey: receiver.comesFrom(source),
  };
  let inRuns = 0;
  for (let slot = 0; slot < datagrams.length;) {
    const taken = receiver.runs.get(port)?.(run, slot, datagrams.length) ?? 0;
    const datagram = datagrams[slot];
    if (taken === 0 && datagram !== undefined) receiver.deliver(port, datagram.at, datagram.bytes, source);
    inRuns += taken;
    slot += Math.max(1, taken);
  }
  slab.fill(0xee);
  return inRuns;
}

interface Sender {
  readonly type: number;
  readonly sequence: number;
  readonly clock: number;
  readonly ssrc: number;
  readonly salt: number;
  readonly pace: number;
}

export const START = Date.UTC(2026, 10, 23, 12);

/** An engine whose clock, sockets and ports belong to the test. */
export class EngineHarness {
  readonly receiver = new FakeReceiver();
  readonly engine: CaptureEngine;
  readonly folder: string;
  readonly givenBack: number[] = [];
  readonly failures: { id: string; code: string | undefined }[] = [];
  /** Milliseconds since START that really went by. */
  elapsed = 0;
  /** What somebody did to the wall clock. */
  clockSet = 0;
  #nextPort = 20_000;
  lastPort = 29_998;
  #ticked = 0;

  /** What the engine said for the log. */
  readonly log: string[] = [];

  private constructor(
    folder: string,
    fs: AudioDisk | undefined,
    rhythm: DiskRhythm | undefined,
    dtls: DtlsIdentity | undefined,
  ) {
    this.folder = folder;
    this.engine = new CaptureEngine({
      receiver: this.receiver,
      ports: {
        take: () => (this.#nextPort > this.lastPort ? undefined : (this.#nextPort += 2) - 2),
        giveBack: (port) => void this.givenBack.push(port),
      },
      now: () => this.wall,
      steady: () => this.elapsed,
      sleep: (ms) => {
        this.advanceTo(this.elapsed + ms);
        return Promise.resolve();
      },
      dtls,
      log: (line) => void this.log.push(line),
      ...(fs === undefined ? {} : { fs }),
      ...(rhythm === undefined ? {} : { rhythm }),
    });
    this.engine.onFailure((id, error) => {
      this.failures.push({ id, code: (error as { code?: string }).code });
    });
  }

  static async create(fs?: AudioDisk, rhythm?: DiskRhythm, dtls?: DtlsIdentity): Promise<EngineHarness> {
    return new EngineHarness(await mkdtemp(join(tmpdir(), 'capture-')), fs, rhythm, dtls);
  }

  async dispose(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  get wall(): number {
    return START + this.elapsed + this.clockSet;
  }

  /** Lets time go by with a tick every 20 ms, as the thread does. */
  advanceTo(elapsed: number): void {
    while (this.#ticked + 20 <= elapsed) {
      this.#ticked += 20;
      this.elapsed = this.#ticked;
      this.engine.tick(this.wall);
    }
    this.elapsed = Math.max(this.elapsed, elapsed);
  }

  /** The thread does nothing until `elapsed`, then ticks. */
  holdUp(elapsed: number): void {
    this.elapsed = elapsed;
    this.#ticked = elapsed;
    this.engine.tick(this.wall);
  }

  /** One packet to a port at a time, everything before ticked off. */
  send(port: number, elapsed: number, fields: Partial<RtpFields>, source?: string): void {
    this.advanceTo(elapsed);
    this.receiver.deliver(port, this.wall, rtp(fields), source);
  }

  /** `count` packets of 20 ms from time `from` on; what they carry depends only on the sender's clock. */
  stream(port: number, from: number, count: number, sender: Partial<Sender> = {}): void {
    const { type = 8, sequence = 1, clock = 0, ssrc = 1, salt = 0, pace = 20 } = sender;
    for (let index = 0; index < count; index++)
      this.send(port, from + index * pace, {
        payloadType: type,
        sequenceNumber: sequence + index,
        timestamp: clock + index * 160,
        ssrc,
        payload: octets(clock + index * 160, 160, salt),
      });
  }

  /** One packet as the kernel stamped it, however late it is taken. Packet 1 of a stream begins its clock. */
  deliverStamped(port: number, stamped: number, sequence: number, salt: number): void {
    const clock = (sequence - 1) * 160;
    const packet = rtp({
      sequenceNumber: sequence,
      timestamp: clock,
      ssrc: 1,
      payload: octets(clock, 160, salt),
    });
    this.receiver.deliver(port, START + stamped, packet);
  }

  /** Ends the capture now. */
  close(id = 'rec1'): Promise<CaptureResult> {
    return this.engine.close(id, this.wall);
  }

  request(lines: readonly CaptureLine[], id = 'rec1'): CaptureRequest {
    return { id, folder: this.folder, bind: '127.0.0.1', lines };
  }
}

/** A line that accepts both laws, telephone events on 101 and comfort noise. */
export function aLine(line: number, role: LineRole, active = true): CaptureLine {
  return {
    line,
    role,
    active,
    formats: [
      { payloadType: 8, encoding: 'PCMA', clockRate: 8000 },
      { payloadType: 0, encoding: 'PCMU', clockRate: 8000 },
      { payloadType: 101, encoding: 'TELEPHONE-EVENT', clockRate: 8000 },
      { payloadType: 13, encoding: 'CN', clockRate: 8000 },
    ],
  };
}
