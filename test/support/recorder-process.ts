import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';

const HERE = dirname(fileURLToPath(import.meta.url));
/** Benchmarks run compiled, two folders further down. */
export const ROOT = resolve(HERE, HERE.includes('/dist/bench/') ? '../../../..' : '../..');

/** A recorder as a user would run it: the built program, a configuration file, its own data directory. */
export interface RecorderProcess {
  readonly dataDir: string;
  readonly archive: string;
  readonly udpPort: number;
  readonly tcpPort: number;
  readonly web: string;
  readonly child: ChildProcess;
  /** What it wrote to standard output (the banner) and to standard error (the log) so far. */
  output(): { readonly banner: string; readonly log: string };
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL, as a power cut would. */
  kill(): Promise<void>;
}

export interface RecorderSetup {
  /** Reuse the data of an earlier run. */
  readonly dataDir?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Ports of audio that no other worker of Jest has: who went on sending to a recorder that another test has killed must not be heard in a call
 * of this one. They are below those that the system gives away.
 */
export function mediaPorts(): string {
  const first = 20_000 + (Number(process.env['JEST_WORKER_ID'] ?? 1) % 6) * 2000;
  return `${first}-${first + 1999}`;
}

/** Starts the built recorder on free ports and waits until it says that it is ready. */
export async function startRecorder(setup: RecorderSetup = {}): Promise<RecorderProcess> {
  const dataDir = setup.dataDir ?? mkdtempSync(join(tmpdir(), 'sealtape-'));
  const archive = join(dataDir, 'archive');
  const config = join(dataDir, 'config.yaml');
  writeFileSync(
    config,
    stringify({
      dataDir: '.',
      sip: { listen: ['udp://127.0.0.1:0', 'tcp://127.0.0.1:0'] },
      web: { listen: '127.0.0.1:0' },
      media: { ports: mediaPorts() },
      destinations: [{ name: 'archive', kind: 'path', root: './archive' }],
      ...setup.config,
    }),
  );
  const child = spawn(process.execPath, [join(ROOT, 'dist/src/main.js'), '--config', config], {
    cwd: dataDir,
    env: { ...process.env, ...setup.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let banner = '';
  let log = '';
  child.stdout.on('data', (chunk: Buffer) => (banner += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await ready(
    child,
    () => banner,
    () => log,
  ).catch((error: unknown) => {
    // Nobody else knows of the folder.
    if (setup.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    throw error;
  });
  const port = (protocol: string): number =>
    Number(new RegExp(`${protocol}://[^\\s:]+:(\\d+)`).exec(banner)?.[1]);
  return {
    dataDir,
    archive,
    udpPort: port('udp'),
    tcpPort: port('tcp'),
    web: /http:\/\/[^\s]+/.exec(banner)?.[0].replace(/\/$/, '') ?? '',
    child,
    output: () => ({ banner, log }),
    stop: () => end(child, 'SIGTERM'),
    kill: async () => {
      await end(child, 'SIGKILL');
    },
  };
}

async function ready(child: ChildProcess, banner: () => string, log: () => string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (banner().includes('sealtape call')) resolve();
    };
    child.stdout?.on('data', look);
    child.once('exit', (code) => {
      reject(new Error(`the recorder ended with ${String(code)}\n${banner()}\n${log()}`));
    });
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
  return child.exitCode;
}

/** All files below a folder, relative, sorted. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** Waits until `look` gives something, asking often; what it gives must come from the product's own doing. */
export async function eventually<T>(
  look: () => T | undefined | Promise<T | undefined>,
  milliseconds: number,
): Promise<T> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`nothing within ${milliseconds} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
