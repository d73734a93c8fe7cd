/*
 * What DTLS handshakes cost, and what they do to others. Calls come and go at a steady rate beside calls that are held and send; first in clear,
 * then with a handshake on each of their two lines. The difference is the handshakes. How long a datagram waits for the media thread is seen
 * from outside: by checks of ICE on a line of its own, which are answered from the packet path.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { iceCheck } from '../media/ice/check-builder.ts';
import { startRecorder, type RecorderPlan, type Running } from './bench-recorder.ts';
import { HandshakeProcess } from './handshake-process.ts';
import { type Dialog, HeldCalls, THEIR_ICE } from './held-calls.ts';
import { LoadProcess } from './load-process.ts';
import { cpuSeconds, readMetrics } from './process-figures.ts';

export interface HandshakePlan extends RecorderPlan {
  /** A second. */
  readonly handshakes: number;
  /** Held beside. */
  readonly calls: number;
  readonly seconds: number;
}

const CHECK_EVERY_MS = 23;
/** A call in clear is as long as one whose handshakes take their time. */
const CALL_MS = 600;

interface Turn {
  readonly calls: number;
  readonly media: number;
  readonly process: number;
  readonly waits: readonly number[];
  readonly took: readonly number[];
  readonly failed: number;
  readonly seconds: number;
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

export async function shakeHands(plan: HandshakePlan): Promise<void> {
  const recorder = await startRecorder(plan);
  const clients = await HandshakeProcess.start();
  try {
    await measure(recorder, clients, plan);
  } finally {
    clients.stop();
    await recorder.stop();
  }
}

async function measure(recorder: Running, clients: HandshakeProcess, plan: HandshakePlan): Promise<void> {
  const { tcpPort, web } = recorder;
  const before = await readMetrics(web);
  const held = await HeldCalls.connect(tcpPort, { number: 0 });
  const { ports } = await held.open(plan.calls);
  const load = await LoadProcess.to(ports);
  const probe = await Probe.open(tcpPort);
  await delay(2000);
  const plain = await turn(recorder, probe, plan);
  const shaken = await turn(recorder, probe, plan, clients);
  const sent = await load.stop();
  await probe.close();
  await held.hangUp();
  await delay(1500);
  const after = await readMetrics(web);
  held.close();
  tell(plan, plain, shaken);
  const received = after('sealtape_rtp_packets_total') - before('sealtape_rtp_packets_total');
  say(
    `  packets of the ${plan.calls} calls beside: sent ${sent.packets}, received ${received}, lost ${sent.packets - received}`,
  );
}

/** Calls at a steady rate for some seconds. */
async function turn(
  recorder: Running,
  probe: Probe,
  { handshakes, seconds }: HandshakePlan,
  clients?: HandshakeProcess,
): Promise<Turn> {
  const { pid, tcpPort, web } = recorder;
  const calls = await HeldCalls.connect(tcpPort, { number: 100_000, fingerprint: clients?.fingerprint });
  const took: (number | undefined)[] = [];
  const one = async (index: number): Promise<void> => {
    const call = await calls.begin(index);
    if (clients === undefined) await delay(CALL_MS);
    else took.push(...(await Promise.all(call.ports.map((port) => clients.shake(port)))));
    await calls.end(call);
  };
  const before = await readMetrics(web);
  const cpu = cpuSeconds(pid);
  probe.waits.length = 0;
  const begun = performance.now();
  const running: Promise<void>[] = [];
  // Two lines a call.
  for (let index = 0; index < (seconds * handshakes) / 2; index += 1) {
    await delay(Math.max(0, begun + (index * 2000) / handshakes - performance.now()));
    running.push(one(index));
  }
  await Promise.all(running);
  const after = await readMetrics(web);
  const waits = [...probe.waits];
  calls.close();
  const name = 'sealtape_media_cpu_seconds_total';
  const done = took.filter((each) => each !== undefined);
  return {
    calls: running.length,
    media: after(name) - before(name),
    process: cpuSeconds(pid) - cpu,
    waits,
    took: done,
    failed: took.length - done.length,
    seconds: (performance.now() - begun) / 1000,
  };
}

function tell({ handshakes, calls }: HandshakePlan, plain: Turn, shaken: Turn): void {
  const many = shaken.took.length;
  const each = (shaken.media / shaken.calls - plain.media / plain.calls) * (shaken.calls / many);
  const whole = (shaken.process / shaken.calls - plain.process / plain.calls) * (shaken.calls / many);
  say(`${handshakes} handshakes a second wanted, ${calls} calls that send beside`);
  say(
    `  done ${many} in ${shaken.seconds.toFixed(1)} s (${(many / shaken.seconds).toFixed(1)} a second), failed ${shaken.failed};` +
      ` a client waits ${spread(shaken.took)} for its keys`,
  );
  say(
    `  a handshake: ${(each * 1000).toFixed(2)} ms of the media thread, ${(whole * 1000).toFixed(2)} ms of the process;` +
      ` ${(1 / each).toFixed(0)} handshakes a second of CPU of the media thread`,
  );
  say(`  a datagram waits ${spread(plain.waits)} beside calls in clear`);
  say(`  a datagram waits ${spread(shaken.waits)} beside handshakes`);
}

function spread(values: readonly number[]): string {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (part: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN).toFixed(0);
  return `median ${at(0.5)}, p95 ${at(0.95)}, p99 ${at(0.99)}, most ${at(1)} ms`;
}

/** A line with ICE that is checked all the time. */
class Probe {
  readonly waits: number[] = [];
  readonly #calls: HeldCalls;
  readonly #call: Dialog;
  readonly #socket: Socket;
  readonly #sent = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  private constructor(calls: HeldCalls, call: Dialog, socket: Socket) {
    this.#calls = calls;
    this.#call = call;
    this.#socket = socket;
    socket.on('message', (answer) => {
      const at = this.#sent.get(answer.toString('hex', 8, 20));
      if (at !== undefined) this.waits.push(performance.now() - at);
    });
    this.#timer = setInterval(() => {
      this.#check();
    }, CHECK_EVERY_MS);
  }

  static async open(port: number): Promise<Probe> {
    const calls = await HeldCalls.connect(port, { number: 200_000, ice: true });
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new Probe(calls, await calls.begin(0), socket);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#calls.end(this.#call);
    this.#calls.close();
    this.#socket.close();
  }

  #check(): void {
    const { ice, ports } = this.#call;
    const message = iceCheck({ username: `${ice?.ufrag ?? ''}:${THEIR_ICE}`, password: ice?.password ?? '' });
    this.#sent.set(message.toString('hex', 8, 20), performance.now());
    this.#socket.send(message, ports[0] ?? 0, '127.0.0.1');
  }
}
