/*
 * What the packet path costs. N SIPREC calls of two G.711 lines are set up at the whole recorder (its own process: SIP, media
 * thread, files, database, its own Redis) and held, while a process of its own sends 20 ms packets to them; then they are
 * ended, and the recordings of a sample compared with what was sent, octet by octet. Before and after, the same load goes
 * to a receiver that only counts datagrams it takes out of the kernel in the same way: the ratio of the two holds on any
 * machine. The sender's CPU is in no figure.
 *
 *   npm run bench:media -- [--calls N] [--seconds S] [--receiver batch|dgram] [--srtp] [--rounds R] [--sample K] [--profiles DIR]
 *
 * Default: 200 calls held 10 s, batch, one round, octets of 20 calls compared. With several rounds the calls come and go,
 * which shows whether memory stays flat. A fifth of the calls is held first, for what a call more costs in memory. With --srtp as
 * many encrypted calls follow the plain ones of each round, at a recorder of their own.
 *
 *   npm run bench:media -- --churn MINUTES [--calls N] [--receiver batch|dgram]
 *
 * Calls of 20 to 60 s that come and go instead, about N at a time, and every two minutes what they have left in memory.
 *
 *   npm run bench:media -- --handshakes N [--calls N] [--seconds S] [--receiver batch|dgram]
 *
 * N DTLS handshakes a second instead, on calls that come and go beside those that are held: what one costs, and what it does to the others.
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { arch, cpus, loadavg, release } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startRecorder, type Running } from './bench-recorder.ts';
import { churn } from './churn.ts';
import { shakeHands } from './handshakes.ts';
import { countByBatch, countByEvents } from './counting-receiver.ts';
import { HeldCalls } from './held-calls.ts';
import { LoadProcess, type Sent } from './load-process.ts';
import { callsPerCore, encryptedGoals, goalsOf, type Kind, type Measured } from './media-goals.ts';
import { cpuSeconds, type Metrics, readMetrics, residentKilobytes, untilIdle } from './process-figures.ts';
import { compareRecordings } from './recording-check.ts';

const WARM_UP_MS = 2_000;
/** Packets the counting receiver needs on either side of the recorder's turn: enough to be a measure. */
const COUNTING_MS = 15_000;
/** A BYE is answered before its call has ended. */
const END_MS = 1_500;
/** Master key and salt of AES_CM_128. */
const KEY_BYTES = 30;
/** A fifth of the calls is held for so long. */
const FEW_SECONDS = 5;
/** By then the recorder has given back what setting calls up took (docs/decisions/026); calls held for less say nothing of memory. */
const SETTLED_SECONDS = 45;
/** What is to be done after a call is waited for so long, in seconds. */
const AFTERMATH = 180;
/** `monitorEventLoopDelay` counts the 10 ms between its own looks as delay. */
const LOOP_RESOLUTION_MS = 10;
const SELF = fileURLToPath(import.meta.url);

interface Plan {
  readonly calls: number;
  readonly seconds: number;
  readonly receiver: Kind;
  readonly rounds: number;
  readonly sample: number;
  readonly profiles: string | undefined;
  readonly srtp: boolean;
  /** Of calls that come and go; 0 for calls that are held. */
  readonly minutes: number;
  /** A second, beside calls that send; 0 for none. */
  readonly handshakes: number;
}

// ---- processes -----------------------------------------------------------------------------------------------------

async function countUntilTold(kind: Kind, sockets: number): Promise<void> {
  const receiver = kind === 'batch' ? countByBatch(sockets) : await countByEvents(sockets);
  process.on('message', () => process.send?.(receiver.counted()));
  process.once('disconnect', () => process.exit());
  process.send?.(receiver.ports);
}

// ---- measuring -----------------------------------------------------------------------------------------------------

interface Counted {
  readonly micros: number;
  readonly lost: number;
}

/** CPU microseconds a packet of the receiver that only counts. */
async function count({ receiver, calls }: Plan): Promise<Counted> {
  const child = fork(SELF, ['count', receiver, String(calls * 2)], { serialization: 'advanced' });
  const [ports] = (await once(child, 'message')) as [number[]];
  const counted = async (): Promise<number> => {
    const told = once(child, 'message') as Promise<[number]>;
    child.send('count');
    return (await told)[0];
  };
  const source = await LoadProcess.to(ports);
  await delay(WARM_UP_MS);
  const before = { cpu: cpuSeconds(child.pid ?? 0), packets: await counted() };
  await delay(COUNTING_MS);
  const cpu = cpuSeconds(child.pid ?? 0) - before.cpu;
  const packets = (await counted()) - before.packets;
  const sent = await source.stop();
  await delay(1000);
  const lost = sent.packets - (await counted());
  child.disconnect();
  return { micros: (cpu * 1e6) / packets, lost };
}

interface Round {
  readonly packets: number;
  /** CPU microseconds a packet: of the media threads, and of the whole process with signalling, database and garbage collection. */
  readonly mediaMicros: number;
  readonly processMicros: number;
  readonly loopDelay: number;
  readonly setUpLoopDelay: number;
  readonly residentKilobytes: number;
  readonly setUp: readonly number[];
  readonly sent: Sent;
  readonly received: number;
  readonly written: number;
}

const loopDelayOf = (metrics: Metrics): number =>
  Math.max(0, metrics('nodejs_eventloop_lag_p99_seconds') * 1000 - LOOP_RESOLUTION_MS);

/** Sets calls up, holds them under load and hangs up. */
async function hold(recorder: Running, calls: HeldCalls, plan: Plan, key?: Buffer): Promise<Round> {
  const { pid, web } = recorder;
  const first = await readMetrics(web);
  const { ports, setUp } = await calls.open(plan.calls);
  const setUpLoopDelay = loopDelayOf(await readMetrics(web));
  const source = await LoadProcess.to(ports, key);
  await delay(WARM_UP_MS);
  const before = await readMetrics(web);
  const cpuBefore = cpuSeconds(pid);
  await delay(plan.seconds * 1000);
  const cpu = cpuSeconds(pid) - cpuBefore;
  const after = await readMetrics(web);
  const resident = residentKilobytes(pid);
  const sent = await source.stop();
  await calls.hangUp();
  // The last packets are taken in while a call ends.
  await delay(END_MS);
  const last = await readMetrics(web);
  const grown = (name: string, from: Metrics, to: Metrics): number => to(name) - from(name);
  const packets = grown('sealtape_rtp_packets_total', before, after);
  return {
    packets,
    mediaMicros: (grown('sealtape_media_cpu_seconds_total', before, after) * 1e6) / packets,
    processMicros: (cpu * 1e6) / packets,
    loopDelay: loopDelayOf(after),
    setUpLoopDelay,
    residentKilobytes: resident,
    setUp,
    sent,
    received: grown('sealtape_rtp_packets_total', first, last),
    written: grown('sealtape_rtp_octets_total', first, last) / 160,
  };
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

function tell(round: Round, bare: readonly Counted[], plan: Plan): void {
  const measure = meanOf(bare);
  const line = (name: string, micros: number): void => {
    say(
      `  ${name.padEnd(34)}${micros.toFixed(2)} us/packet  ${callsPerCore(micros).toFixed(0).padStart(6)} calls/core  x ${(micros / measure).toFixed(2)}`,
    );
  };
  line('media thread', round.mediaMicros);
  line('whole recorder process', round.processMicros);
  bare.forEach(({ micros }) => {
    line(`counting ${plan.receiver} receiver`, micros);
  });
  const times = round.setUp.toSorted((a, b) => a - b);
  say(
    `  packets sent ${round.sent.packets}, received ${round.received}, written ${round.written}` +
      ` (counting receiver: lost ${bare.map((each) => each.lost).join(' and ')})`,
  );
  say(
    `  resident ${Math.round(round.residentKilobytes / 1024)} MB in all; event loop of signalling during set-up p99 ${round.setUpLoopDelay.toFixed(1)} ms;` +
      ` call set-up median ${(times[times.length >> 1] ?? NaN).toFixed(1)} ms; load ${loadavg()[0]?.toFixed(1) ?? '?'}`,
  );
}

const meanOf = (bare: readonly Counted[]): number =>
  bare.reduce((sum, { micros }) => sum + micros, 0) / bare.length;

/** One recorder, for calls in clear or for encrypted ones, and the turns it is put through. */
class Trial {
  readonly #recorder: Running;
  readonly #plan: Plan;
  readonly #key: Buffer | undefined;
  #idleKilobytes = 0;
  #fewKilobytes = 0;
  #number: number;

  private constructor(recorder: Running, plan: Plan, isEncrypted: boolean) {
    this.#recorder = recorder;
    this.#plan = plan;
    this.#key = isEncrypted ? randomBytes(KEY_BYTES) : undefined;
    this.#number = plan.calls;
  }

  /** Starts a recorder of its own. */
  static async begin(plan: Plan, isEncrypted: boolean): Promise<Trial> {
    return new Trial(await startRecorder(plan), plan, isEncrypted);
  }

  stop(): Promise<void> {
    return this.#recorder.stop();
  }

  /** Holds a fifth of the calls, to see what memory they take, and what they leave behind. */
  async holdFew(): Promise<void> {
    const plan = this.#plan;
    const { pid, tcpPort } = this.#recorder;
    const settles = plan.seconds >= SETTLED_SECONDS;
    const settle = (): Promise<void> => delay(settles ? SETTLED_SECONDS * 1000 : 0);
    await settle();
    this.#idleKilobytes = residentKilobytes(pid);
    const calls = await HeldCalls.connect(tcpPort, { number: 0, key: this.#key });
    const fewer = { ...plan, calls: fewOf(plan), seconds: settles ? SETTLED_SECONDS : FEW_SECONDS };
    const few = await hold(this.#recorder, calls, fewer, this.#key);
    calls.close();
    await untilIdle(pid, AFTERMATH);
    await settle();
    this.#fewKilobytes = few.residentKilobytes;
    const [idle, held, after] = [this.#idleKilobytes, this.#fewKilobytes, residentKilobytes(pid)].map(
      (kilobytes) => `${Math.round(kilobytes / 1024)} MB`,
    );
    const kind = this.#key === undefined ? 'plain' : 'encrypted';
    say(`${kind}: resident ${idle} before the first call, ${held} with ${fewer.calls}, ${after} after them`);
  }

  /** Holds all calls, with the counting receiver before and after; says what came of it. */
  async measure(): Promise<Measured> {
    const plan = this.#plan;
    const { pid, tcpPort } = this.#recorder;
    const key = this.#key;
    const isEncrypted = key !== undefined;
    const number = this.#number;
    this.#number += plan.calls;
    const before = await count(plan);
    const calls = await HeldCalls.connect(tcpPort, { number, key });
    const held = await hold(this.#recorder, calls, plan, key);
    calls.close();
    say(isEncrypted ? 'encrypted:' : 'plain:');
    const wrong = await this.#compare(number, held.sent.turns, isEncrypted);
    await untilIdle(pid, AFTERMATH);
    const bare = [before, await count(plan)];
    tell(held, bare, plan);
    const { residentKilobytes: resident } = held;
    return {
      kind: plan.receiver,
      calls: plan.calls,
      seconds: plan.seconds,
      mediaMicros: held.mediaMicros,
      countingMicros: meanOf(bare),
      lost: held.sent.packets - held.received,
      wrong,
      kilobytes: (resident - this.#idleKilobytes) / plan.calls,
      marginalKilobytes: (resident - this.#fewKilobytes) / (plan.calls - fewOf(plan)),
      isSettled: plan.seconds >= SETTLED_SECONDS,
      loopDelay: held.loopDelay,
    };
  }

  /** Octets of a sample that are wrong; silence inside what was heard is told apart. */
  async #compare(number: number, turns: number, isEncrypted: boolean): Promise<number | undefined> {
    const { sample, calls } = this.#plan;
    if (sample === 0) return undefined;
    const step = Math.max(1, Math.floor(calls / sample));
    const chosen = Array.from({ length: Math.min(sample, calls) }, (_none, index) => index * step);
    const compared = await compareRecordings(this.#recorder.archive, chosen, { turns, isEncrypted, number });
    const { octets, wrong, silent } = compared;
    say(`  octets of ${compared.calls} calls compared: ${octets}, wrong ${wrong}, silence inside ${silent}`);
    return wrong;
  }
}

const fewOf = ({ calls }: Plan): number => Math.max(1, Math.floor(calls / 5));

function start(plan: Plan): Promise<void> {
  if (plan.minutes > 0) return churn(plan);
  return plan.handshakes > 0 ? shakeHands(plan) : main(plan);
}

async function main(plan: Plan): Promise<void> {
  say(
    `${cpus()[0]?.model ?? 'unknown CPU'} x ${cpus().length}, ${arch()}, Linux ${release()}, Node ${process.version}`,
  );
  say(
    `${plan.calls} calls, two G.711 lines each, held ${plan.seconds} s, receiver ${plan.receiver}; load ${loadavg()[0]?.toFixed(1) ?? '?'}`,
  );
  const trials: Trial[] = [];
  try {
    const inClear = await Trial.begin(plan, false);
    trials.push(inClear);
    const encrypted = plan.srtp ? await Trial.begin(plan, true) : undefined;
    if (encrypted !== undefined) trials.push(encrypted);
    await delay(1000);
    for (const trial of trials) await trial.holdFew();
    for (let round = 0; round < plan.rounds; round += 1) {
      const plain = await inClear.measure();
      goalsOf(plain).forEach(say);
      if (encrypted !== undefined) encryptedGoals(plain, await encrypted.measure()).forEach(say);
    }
  } finally {
    for (const trial of trials) await trial.stop();
  }
}

function planOf(args: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      calls: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '10' },
      receiver: { type: 'string', default: 'batch' },
      rounds: { type: 'string', default: '1' },
      sample: { type: 'string', default: '20' },
      profiles: { type: 'string' },
      srtp: { type: 'boolean', default: false },
      churn: { type: 'string', default: '0' },
      handshakes: { type: 'string', default: '0' },
    },
  });
  const number = (text: string): number => {
    if (!/^\d{1,6}$/.test(text)) throw new Error(`not a number: ${text}`);
    return Number(text);
  };
  const { receiver, profiles, srtp } = values;
  if (receiver !== 'batch' && receiver !== 'dgram') throw new Error('--receiver is batch or dgram');
  const [calls, seconds, rounds, sample, minutes, handshakes] = [
    values.calls,
    values.seconds,
    values.rounds,
    values.sample,
    values.churn,
    values.handshakes,
  ].map(number);
  return {
    calls: calls ?? 0,
    seconds: seconds ?? 0,
    rounds: rounds ?? 0,
    sample: sample ?? 0,
    minutes: minutes ?? 0,
    handshakes: handshakes ?? 0,
    receiver,
    profiles,
    srtp,
  };
}

const [role, ...rest] = process.argv.slice(2);
if (role === 'count') await countUntilTold(rest[0] === 'dgram' ? 'dgram' : 'batch', Number(rest[1]));
else await start(planOf(process.argv.slice(2)));
