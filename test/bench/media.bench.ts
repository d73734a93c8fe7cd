/*
 * What the packet path costs: N calls of two G.711 lines each, 20 ms packets from a process of their own, through the
 * receivers, the capture engine and the files, in one media thread. Both receivers take turns in one run, since a shared
 * machine is never equally fast twice.
 *
 *   npm run bench:media [-- CALLS SECONDS ROUNDS]      default 200 calls, 10 s, 2 rounds
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, cpus, hostname, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { CaptureLine, CaptureResult } from '../../src/media/capture.ts';
import { type MediaThreadsHost, startMediaThreads } from '../../src/media/media-threads.ts';
import { parsePortRange } from '../../src/media/port-pool.ts';

const PORTS = '20000-29999';
const WARM_UP_MS = 2_000;
const PACKETS_PER_SECOND = 50;
const LINES = 2;

interface Plan {
  readonly calls: number;
  readonly seconds: number;
  readonly rounds: number;
}

interface Row {
  readonly receiver: 'batch' | 'dgram';
  readonly packets: number;
  /** CPU of the media thread, and of the whole process, with the garbage collector's threads. */
  readonly threadMicros: number;
  readonly processMicros: number;
  readonly sent: number;
  readonly received: number;
  readonly overruns: number;
}

/** Sends to the ports of its argument until told to stop, then says how much it sent. */
class RtpSource {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async to(ports: readonly number[]): Promise<RtpSource> {
    const child = fork(fileURLToPath(import.meta.url), ['send'], { serialization: 'advanced' });
    child.send(ports);
    await once(child, 'message');
    return new RtpSource(child);
  }

  /** Returns the number of packets sent. */
  async stop(): Promise<number> {
    const told = once(this.#child, 'message') as Promise<[number]>;
    this.#child.send('stop');
    const [sent] = await told;
    this.#child.disconnect();
    return sent;
  }
}

/**
 * The sending process: every stream has its packet and its message header laid out once, and the streams that are due
 * in a millisecond lie side by side, so that one `sendmmsg` sends them all.
 */
class StreamSender {
  static readonly #PACKET = 172;
  readonly #koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  readonly #sendmmsg = this.#koffi.load(null).func('int sendmmsg(int, uintptr_t, uint, int)');
  readonly #fd: number;
  readonly #streams: number;
  readonly #packets: Buffer;
  readonly #headers: Buffer;
  readonly #names: Buffer;
  readonly #vectors: Buffer;
  readonly #base: bigint;
  sent = 0;

  constructor(ports: readonly number[]) {
    this.#streams = ports.length;
    this.#packets = Buffer.alloc(ports.length * StreamSender.#PACKET, 0xd5);
    this.#headers = Buffer.alloc(ports.length * 64);
    this.#names = Buffer.alloc(ports.length * 16);
    this.#vectors = Buffer.alloc(ports.length * 16);
    this.#base = this.#koffi.address(this.#headers);
    this.#fd = Number(this.#koffi.load(null).func('int socket(int, int, int)')(2, 2, 0));
    ports.forEach((port, stream) => {
      this.#lay(stream, port);
    });
  }

  /** Sends the packet number `turn` of the streams `from` to `to`, `to` not included. */
  send(from: number, to: number, turn: number): void {
    for (let stream = from; stream < to; stream += 1) {
      const at = stream * StreamSender.#PACKET;
      this.#packets.writeUInt16BE(turn & 0xffff, at + 2);
      this.#packets.writeUInt32BE((turn * 160) >>> 0, at + 4);
    }
    for (let next = from; next < to;) {
      const count = Number(
        this.#sendmmsg(this.#fd, this.#base + BigInt(next * 64), Math.min(64, to - next), 0),
      );
      if (count <= 0) throw new Error(`sendmmsg failed with errno ${this.#koffi.errno()}`);
      this.sent += count;
      next += count;
    }
  }

  /** One turn of 20 ms in which every stream comes up once, spread over its milliseconds. */
  async run(stopped: () => boolean): Promise<void> {
    const start = performance.now();
    for (let tick = 0; !stopped();) {
      const due = Math.floor(performance.now() - start);
      for (; tick < due; tick += 1) {
        const part = tick % 20;
        const cut = (index: number): number => Math.floor((index * this.#streams) / 20);
        this.send(cut(part), cut(part + 1), Math.floor(tick / 20));
      }
      await delay(1);
    }
  }

  #lay(stream: number, port: number): void {
    const packet = stream * StreamSender.#PACKET;
    this.#packets.writeUInt16BE(0x8008, packet);
    this.#packets.writeUInt32BE(stream + 1, packet + 8);
    const name = stream * 16;
    this.#names.writeUInt16LE(2, name);
    this.#names.writeUInt16BE(port, name + 2);
    this.#names.writeUInt32BE(0x7f000001, name + 4);
    const pointer = (base: Buffer, offset: number): bigint => this.#koffi.address(base) + BigInt(offset);
    const vector = stream * 16;
    this.#vectors.writeBigUInt64LE(pointer(this.#packets, packet), vector);
    this.#vectors.writeBigUInt64LE(BigInt(StreamSender.#PACKET), vector + 8);
    const header = stream * 64;
    this.#headers.writeBigUInt64LE(pointer(this.#names, name), header);
    this.#headers.writeUInt32LE(16, header + 8);
    this.#headers.writeBigUInt64LE(pointer(this.#vectors, vector), header + 16);
    this.#headers.writeBigUInt64LE(1n, header + 24);
  }
}

async function sendUntilTold(): Promise<void> {
  const [ports] = (await once(process, 'message')) as [number[]];
  const sender = new StreamSender(ports);
  let stopped = false;
  process.once('message', () => {
    stopped = true;
  });
  process.send?.('sending');
  await sender.run(() => stopped);
  process.send?.(sender.sent);
}

const line = (index: number): CaptureLine => ({
  line: index,
  role: index === 0 ? 'caller' : 'callee',
  formats: [{ payloadType: 8, encoding: 'PCMA', clockRate: 8000 }],
  active: true,
});

async function openCalls(host: MediaThreadsHost, folder: string, calls: number): Promise<number[]> {
  const ports: number[] = [];
  for (let call = 0; call < calls; call += 1) {
    const id = `call-${call}`;
    await mkdir(join(folder, id), { recursive: true });
    const lines = Array.from({ length: LINES }, (_, index) => line(index));
    const opened = await host.open({ id, folder: join(folder, id), bind: '127.0.0.1', lines });
    ports.push(...opened.lines.map(({ port }) => port));
  }
  return ports;
}

async function measure(receiver: Row['receiver'], plan: Plan, folder: string): Promise<Row> {
  const log = { info: () => undefined, warn: say };
  const host = await startMediaThreads({ threads: 1, ports: PORTS, receiver, log });
  try {
    const source = await RtpSource.to(await openCalls(host, folder, plan.calls));
    await delay(WARM_UP_MS);
    const before = await host.totals();
    const cpuBefore = process.cpuUsage();
    await delay(plan.seconds * 1000);
    const cpu = process.cpuUsage(cpuBefore);
    const after = await host.totals();
    const sent = await source.stop();
    const at = Date.now();
    const closing = Array.from({ length: plan.calls }, (_, call) => host.close(`call-${call}`, at));
    const results: CaptureResult[] = await Promise.all(closing);
    const packets = after.packets - before.packets;
    return {
      receiver,
      packets,
      threadMicros: ((after.cpuSeconds - before.cpuSeconds) * 1e6) / packets,
      processMicros: (cpu.user + cpu.system) / packets,
      sent,
      received: results.flatMap((result) => result.legs).reduce((sum, leg) => sum + leg.received, 0),
      overruns: (await host.totals()).overruns,
    };
  } finally {
    await host.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

const cells = (row: Row): string[] => [
  row.receiver,
  String(row.packets),
  row.threadMicros.toFixed(2),
  row.processMicros.toFixed(2),
  String(Math.round(1e6 / (row.processMicros * LINES * PACKETS_PER_SECOND))),
  `${(((row.sent - row.received) / row.sent) * 100).toFixed(3)} %`,
  String(row.overruns),
];

const HEAD = ['receiver', 'packets', 'us/packet', 'us/p process', 'calls/core', 'lost', 'overruns'];

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const print = (row: readonly string[]): void => {
  say(row.map((cell) => cell.padStart(13)).join(''));
};

async function main(plan: Plan): Promise<void> {
  const room = (parsePortRange(PORTS).last - parsePortRange(PORTS).first + 1) / 2 / LINES;
  if (plan.calls > room) throw new Error(`ports ${PORTS} are enough for ${room} calls`);
  const folder = await mkdtemp(join(tmpdir(), 'media-bench-'));
  say(`${hostname()}, ${cpus()[0]?.model ?? 'unknown CPU'} x ${cpus().length}, ${arch()}`);
  say(`Linux ${release()}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1) ?? '?'}`);
  say(`${plan.calls} calls, ${LINES} lines each, ${plan.seconds} s after ${WARM_UP_MS / 1000} s of warm-up`);
  print(HEAD);
  for (let round = 0; round < plan.rounds; round += 1)
    for (const receiver of round % 2 === 0 ? (['batch', 'dgram'] as const) : (['dgram', 'batch'] as const))
      print(cells(await measure(receiver, plan, join(folder, `${round}-${receiver}`))));
  await rm(folder, { recursive: true, force: true });
}

const numberAt = (index: number, otherwise: number): number => {
  const value = Number(process.argv[index] ?? otherwise);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`not a number of calls, seconds or rounds: ${process.argv[index] ?? ''}`);
};

if (process.argv[2] === 'send') await sendUntilTold();
else await main({ calls: numberAt(2, 200), seconds: numberAt(3, 10), rounds: numberAt(4, 2) });
