/*
 * Seals beside running calls, in the whole recorder: N calls of two G.711 lines are held and fed 20 ms packets by a process of its own; the
 * same number of seconds once without and once with short calls that come, carry a few packets and end, so many a second that as many
 * recordings have to be sealed. Whatever the held calls lose in the second half and not in the first, the seals have cost.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { startRecorder, type RecorderProcess } from '../support/recorder-process.ts';
import { HeldCalls } from './held-calls.ts';
import { LoadProcess } from './load-process.ts';
import { type Metrics, readMetrics } from './process-figures.ts';
import { RtpLoad } from './rtp-load.ts';

export interface BesidePlan {
  readonly name: string;
  /** Configuration of the database. */
  readonly database: Readonly<Record<string, unknown>>;
  readonly calls: number;
  readonly sealsPerSecond: number;
  readonly seconds: number;
}

const WARM_UP_MS = 2_000;
/** Packets of a short call on each line. */
const PACKETS = 5;
/** `monitorEventLoopDelay` counts the 10 ms between its own looks as delay. */
const LOOP_RESOLUTION_MS = 10;
/** Milliseconds for what has ended to be sealed. */
const PATIENCE_MS = 120_000;

/** Prints the figures of one database. */
export async function benchBeside(plan: BesidePlan, say: (line: string) => void): Promise<void> {
  const recorder = await startRecorder({
    config: {
      media: { ports: '10000-59999', address: '127.0.0.1' },
      database: plan.database,
      log: { level: 'warn' },
    },
  });
  try {
    const held = await HeldCalls.connect(recorder.tcpPort, { number: 0 });
    const { ports } = await held.open(plan.calls);
    const load = await LoadProcess.to(ports);
    await delay(WARM_UP_MS);
    await readMetrics(recorder.web);
    await delay(plan.seconds * 1000);
    const alone = loopOf(await readMetrics(recorder.web));
    const short = await sealAway(recorder, plan);
    const packets = (await load.stop()).packets + short.packets;
    await held.hangUp();
    held.close();
    // The last sweep of the sockets.
    await delay(1000);
    const received = (await readMetrics(recorder.web))('sealtape_rtp_packets_total');
    const seals = short.sealed / short.seconds;
    say(
      `${plan.name.padEnd(11)} ${plan.calls} calls held: ${short.sealed} seals in ${short.seconds.toFixed(1)} s = ${seals.toFixed(0)} seals/s, ` +
        `${(short.mean * 1000).toFixed(0)} ms from end to seal (mean); packets sent ${packets}, lost ${packets - received}; ` +
        `event loop p99 ${textOf(short.loop)}, without seals ${textOf(alone)}   [goals 50/s, none lost]`,
    );
  } finally {
    await recorder.stop();
  }
}

interface Loop {
  readonly p99: number;
  readonly most: number;
}

const textOf = ({ p99, most }: Loop): string => `${p99.toFixed(1)} ms (at most ${most.toFixed(0)} ms)`;

interface Sealed {
  readonly sealed: number;
  readonly seconds: number;
  /** Seconds from the end of a recording to its seal. */
  readonly mean: number;
  readonly packets: number;
  /** While the calls came and went. */
  readonly loop: Loop;
}

/** Short calls for the time of the plan; over when the last of them is sealed. */
async function sealAway({ tcpPort, web }: RecorderProcess, plan: BesidePlan): Promise<Sealed> {
  const calls = await HeldCalls.connect(tcpPort, { number: plan.calls });
  const before = await readMetrics(web);
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1000;
  let packets = 0;
  for (let second = 0; second < plan.seconds; second += 1) {
    const { ports } = await calls.open(plan.sealsPerSecond);
    const load = new RtpLoad(ports);
    for (let turn = 0; turn < PACKETS; turn += 1) {
      load.burst(turn);
      await delay(20);
    }
    packets += load.sent;
    await calls.hangUp();
    await delay(Math.max(0, (second + 1 - elapsed()) * 1000));
  }
  calls.close();
  const loop = loopOf(await readMetrics(web));
  const wanted = plan.sealsPerSecond * plan.seconds;
  const grown = (name: string, now: Metrics): number => now(name) - (before(name) || 0);
  for (;;) {
    const now = await readMetrics(web);
    const sealed = grown('sealtape_seal_seconds_count', now);
    if (sealed >= wanted)
      return {
        sealed,
        seconds: elapsed(),
        mean: grown('sealtape_seal_seconds_sum', now) / sealed,
        packets,
        loop,
      };
    if (elapsed() * 1000 > plan.seconds * 1000 + PATIENCE_MS)
      throw new Error(`${sealed} of ${wanted} were sealed`);
    await delay(100);
  }
}

/** Delay of the recorder's event loop since it was asked last, ms. */
const loopOf = (metrics: Metrics): Loop => {
  const of = (name: string): number =>
    Math.max(0, metrics(`nodejs_eventloop_lag_${name}_seconds`) * 1000 - LOOP_RESOLUTION_MS);
  return { p99: of('p99'), most: of('max') };
};
