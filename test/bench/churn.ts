/*
 * Calls that come and go for a long time at the whole recorder, RTP, seals and deliveries included: what grows, leaks. Every call
 * lasts 20 to 60 s, and as soon as one has ended the next begins on its line.
 */
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startRecorder, type RecorderPlan, type Running } from './bench-recorder.ts';
import { type Dialog, HeldCalls } from './held-calls.ts';
import { LoadProcess } from './load-process.ts';
import { cpuSeconds, readMetrics, residentKilobytes } from './process-figures.ts';

export interface ChurnPlan extends RecorderPlan {
  readonly minutes: number;
  /** Under way at the same time. */
  readonly calls: number;
}

const SHORTEST_MS = 20_000;
const LONGEST_MS = 60_000;
/** Between the end of a call and the next on the same line. */
const BETWEEN_MS = 500;
/** After a refusal. */
const RETRY_MS = 5000;
const EVERY_MS = 120_000;
const MEMORY_REPORT = fileURLToPath(new URL('memory-report.js', import.meta.url));

const megabytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);

const say = (cells: readonly (string | number)[]): void => {
  process.stdout.write(`${cells.map((cell) => String(cell).padStart(10)).join('')}\n`);
};

const COLUMNS = [
  'minute',
  'calls',
  'ended',
  'in archive',
  'RSS MB',
  'anon MB',
  'heap MB',
  'extern MB',
  'buffers MB',
  'redis MB',
  'fds',
  'UDP ports',
  'spool',
  'CPU %',
  'load',
];

export async function churn(plan: ChurnPlan): Promise<void> {
  const recorder = await startRecorder(plan, [MEMORY_REPORT]);
  try {
    await new Churn(recorder, plan).run();
  } finally {
    await recorder.stop();
  }
}

class Churn {
  readonly #recorder: Running;
  readonly #plan: ChurnPlan;
  #ended = 0;
  #underWay = 0;
  #stopped = false;
  #cpu = 0;
  #at = 0;

  constructor(recorder: Running, plan: ChurnPlan) {
    this.#recorder = recorder;
    this.#plan = plan;
  }

  async run(): Promise<void> {
    const { minutes, calls: count } = this.#plan;
    const calls = await HeldCalls.connect(this.#recorder.tcpPort, { number: 0 });
    const load = await LoadProcess.idle(count * 2);
    say(COLUMNS);
    await this.#tell(0);
    const begun = Date.now();
    const lines = Array.from({ length: count }, (_none, line) => this.#line(line, calls, load));
    for (let next = EVERY_MS; next <= minutes * 60_000; next += EVERY_MS) {
      await delay(Math.max(0, begun + next - Date.now()));
      await this.#tell(next / 60_000);
    }
    this.#stopped = true;
    await Promise.all(lines);
    await load.stop();
    calls.close();
    // What is left when the last call has been sealed and delivered, and its ports have rested.
    for (const after of [1, 2]) {
      await delay(60_000);
      await this.#tell(minutes + after);
    }
    await this.#verdicts();
  }

  #isOver(): boolean {
    return this.#stopped;
  }

  /** One call after the other; the lines begin at different times. */
  async #line(line: number, calls: HeldCalls, load: LoadProcess): Promise<void> {
    const { calls: count } = this.#plan;
    await delay((line * SHORTEST_MS) / count);
    for (let turn = 0; !this.#isOver(); turn += 1) {
      const call = await this.#begin(calls, turn * count + line);
      if (call === undefined) continue;
      this.#underWay += 1;
      aim(load, line, call);
      const until = Date.now() + SHORTEST_MS + Math.random() * (LONGEST_MS - SHORTEST_MS);
      while (Date.now() < until && !this.#isOver()) await delay(Math.min(1000, until - Date.now()));
      aim(load, line, undefined);
      await calls.end(call);
      this.#underWay -= 1;
      this.#ended += 1;
      await delay(BETWEEN_MS);
    }
  }

  /** A call that is refused is said and tried again. */
  async #begin(calls: HeldCalls, number: number): Promise<Dialog | undefined> {
    try {
      return await calls.begin(number);
    } catch (error) {
      process.stdout.write(`call ${number}: ${String(error)}\n`);
      await delay(RETRY_MS);
      return undefined;
    }
  }

  async #tell(minute: number): Promise<void> {
    const { child, pid, dataDir, archive } = this.#recorder;
    const told = once(child, 'message') as Promise<[NodeJS.MemoryUsage]>;
    child.send('memory');
    const [memory] = await told;
    const cpu = cpuSeconds(pid);
    const now = Date.now();
    const share = this.#at === 0 ? 0 : ((cpu - this.#cpu) * 100_000) / (now - this.#at);
    this.#cpu = cpu;
    this.#at = now;
    say([
      minute,
      this.#underWay,
      this.#ended,
      readdirSync(archive, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.wav'))
        .length,
      megabytes(memory.rss),
      megabytes(anonymousKilobytes(pid) * 1024),
      megabytes(memory.heapUsed),
      megabytes(memory.external),
      megabytes(memory.arrayBuffers),
      megabytes(childKilobytes(pid) * 1024),
      readdirSync(`/proc/${pid}/fd`).length,
      portsOf(pid),
      readdirSync(dataDir, { recursive: true }).length,
      share.toFixed(1),
      loadavg()[0]?.toFixed(1) ?? '?',
    ]);
  }

  async #verdicts(): Promise<void> {
    const metrics = await readMetrics(this.#recorder.web);
    const text = await (await fetch(`${this.#recorder.web}/metrics`)).text();
    const legs = text.split('\n').filter((row) => /^sealtape_(?:legs_total|recordings|alarms)\b/.test(row));
    process.stdout.write(
      `${legs.join('\n')}\npackets ${metrics('sealtape_rtp_packets_total')}, calls ended ${this.#ended}\n`,
    );
  }
}

function aim(load: LoadProcess, line: number, call: Dialog | undefined): void {
  for (const leg of [0, 1]) load.aim(line * 2 + leg, call?.ports[leg]);
}

/** Resident memory without files that are only mapped. */
const anonymousKilobytes = (pid: number): number =>
  Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);

/** Resident memory of the processes it has started: its Redis. */
function childKilobytes(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return children === ''
    ? 0
    : children.split(' ').reduce((sum, child) => sum + residentKilobytes(Number(child)), 0);
}

/** UDP sockets that a process has open. */
function portsOf(pid: number): number {
  const inodes = new Set(
    readFileSync('/proc/net/udp', 'latin1')
      .split('\n')
      .map((row) => row.trim().split(/\s+/)[9]),
  );
  return readdirSync(`/proc/${pid}/fd`).filter((descriptor) => {
    const inode = /^socket:\[(\d+)\]/.exec(targetOf(pid, descriptor))?.[1];
    return inode !== undefined && inodes.has(inode);
  }).length;
}

function targetOf(pid: number, descriptor: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${descriptor}`);
  } catch {
    // Closed in between.
    return '';
  }
}
