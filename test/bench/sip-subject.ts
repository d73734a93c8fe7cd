/*
 * What the signalling benchmarks measure: a recorder in a process of its own, or the embedded server with the smallest application, with its
 * CPU, its memory and what it still owes for the calls it had; and the load, which has a process of its own too.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ROOT, type LoadPlan, type LoadResult, type Transport } from './sip-caller.ts';
import { START_OPTIONS } from './start-options.ts';

export const MEDIA_PORTS = '10000-60000';
const TICKS_PER_SECOND = 100;
/** Recorders of this process so far: each has ports of its own. */
let started = 0;
/** What plays the load and the bare server when it is started with their names. */
const PLAYER = fileURLToPath(new URL('./sip.bench.js', import.meta.url));

/** What is started: the recorder of a checkout after `npm run build`, this one by default, with more options for Node. */
export interface RecorderPlan {
  readonly checkout?: string;
  readonly execArgv?: readonly string[];
}

export interface Running {
  readonly pid: number;
  readonly port: Readonly<Record<Transport, number>>;
  /** Where the recorder tells what is still to be done. */
  readonly metrics: string | undefined;
  /** What it holds after its garbage was collected; only where it was started with `WEIGHED`. */
  weigh(): Promise<NodeJS.MemoryUsage>;
  stop(): Promise<void>;
}

/** A recorder with its own Redis and a database of SQLite. */
export async function startRecorder({ checkout, execArgv = [] }: RecorderPlan): Promise<Running> {
  started += 1;
  const folder = mkdtempSync(join(tmpdir(), 'sip-bench-'));
  const web = `127.0.0.1:${65_000 + ((process.pid + started) % 500)}`;
  const root = checkout === undefined ? ROOT : pathToFileURL(`${checkout}/`);
  const child = fork(
    fileURLToPath(new URL('dist/src/main.js', root)),
    ['--config', configFile(folder, web)],
    {
      execArgv: [...START_OPTIONS.execArgv, ...execArgv],
      silent: true,
    },
  );
  return running(child, { folder, port: await recorderPorts(child), metrics: `http://${web}/metrics` });
}

/** The embedded server with an application that only answers. */
export async function startBare(execArgv: readonly string[]): Promise<Running> {
  const child = fork(PLAYER, ['bare'], { execArgv: [...execArgv] });
  const [port] = (await once(child, 'message')) as [Running['port']];
  return running(child, { folder: undefined, port, metrics: undefined });
}

function running(
  child: ChildProcess,
  facts: Pick<Running, 'port' | 'metrics'> & { readonly folder: string | undefined },
): Running {
  const exit = once(child, 'exit');
  return {
    pid: child.pid ?? 0,
    port: facts.port,
    metrics: facts.metrics,
    weigh: async () => {
      child.send('weigh');
      const [usage] = (await once(child, 'message')) as [NodeJS.MemoryUsage];
      return usage;
    },
    stop: async () => {
      child.kill('SIGTERM');
      await exit;
      if (facts.folder !== undefined) rmSync(facts.folder, { recursive: true, force: true });
    },
  };
}

function configFile(folder: string, web: string): string {
  const file = join(folder, 'config.yaml');
  const port = 62_000 + ((process.pid + started) % 3_000);
  const config = {
    dataDir: 'data',
    sip: { listen: [`udp://127.0.0.1:${port}`, `tcp://127.0.0.1:${port}`] },
    media: { ports: MEDIA_PORTS, address: '127.0.0.1' },
    web: { listen: web },
    spool: { minFreeMegabytes: 1 },
    log: { level: 'error' },
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

/** Waits for the banner. What the recorder complains about goes to our own terminal. */
async function recorderPorts(child: ChildProcess): Promise<Running['port']> {
  child.stderr?.pipe(process.stderr);
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    const udp = /udp:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1];
    const tcp = /tcp:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1];
    if (udp === undefined || tcp === undefined || !text.includes('Verify')) continue;
    return { udp: Number(udp), tcp: Number(tcp) };
  }
  throw new Error(`the recorder did not start: ${text}`);
}

// ---- measuring -----------------------------------------------------------------------------------------------------

/** After the name, which may hold anything, in parentheses: state, ppid, …, utime (14), stime (15). */
function statOf(pid: number | string): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

function ownSeconds(pid: number): number {
  const own = statOf(pid);
  return (Number(own[11] ?? 0) + Number(own[12] ?? 0)) / TICKS_PER_SECOND;
}

/** CPU seconds of a process and those it started. */
function cpuSeconds(pid: number): number {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && statOf(Number(name))[1] === String(pid))
    .map(Number);
  return ownSeconds(pid) + children.reduce((sum, child) => sum + cpuSeconds(child), 0);
}

/** CPU seconds of the thread that a process begins with; where it is the thread of signalling. */
function mainThreadSeconds(pid: number): number {
  const fields = statOf(`${pid}/task/${pid}`);
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
}

/** What a process has used so far, in CPU seconds. */
export interface Spent {
  readonly main: number;
  readonly process: number;
  readonly all: number;
}

export const spentBy = (pid: number): Spent => ({
  main: mainThreadSeconds(pid),
  process: ownSeconds(pid),
  all: cpuSeconds(pid),
});

export const megabytes = (pid: number): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024);

/** A number of the recorder's metrics; NaN where there is none. */
export async function metric(running: Running, name: string): Promise<number> {
  if (running.metrics === undefined) return 0;
  const text = await (await fetch(running.metrics)).text();
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? NaN);
}

/** Resolves when what was owed for the calls is done: no call is open and every event is in the database. */
export async function settled(running: Running): Promise<void> {
  const deadline = performance.now() + 180_000;
  let open = NaN;
  let lag = NaN;
  while (performance.now() < deadline) {
    await delay(500);
    open = await metric(running, 'sealtape_calls_running');
    lag = await metric(running, 'sealtape_journal_lag');
    if (open === 0 && lag === 0) return;
  }
  throw new Error(`the recorder did not finish: ${open} calls running, ${lag} events not in the database`);
}

export async function load(
  plan: LoadPlan,
  onProgress: (done: number) => void = () => undefined,
): Promise<LoadResult> {
  const child = fork(PLAYER, ['load']);
  child.send(plan);
  for (;;) {
    const [told] = (await once(child, 'message')) as [
      { readonly done?: number; readonly result?: LoadResult },
    ];
    if (told.done !== undefined) onProgress(told.done);
    if (told.result === undefined) continue;
    child.disconnect();
    return told.result;
  }
}
