import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readlink, realpath, rm, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// Only to end a Redis that a killed recorder left behind.
import { kill } from 'node:process';
import { codeOf, StoreError } from './store-error.ts';

export interface RedisServerOptions {
  /** Program to start. Default `redis-server`. */
  readonly program?: string;
  /** Milliseconds until the first restart after a death; doubles up to 30 s, and begins anew after a minute of life. Default 100. */
  readonly backOff?: number;
  /** Milliseconds to wait for the first answer. Default 15000: reading a long append-only file takes its time. */
  readonly startWithin?: number;
  readonly log?: (
    level: 'info' | 'warn' | 'error',
    message: string,
    fields?: Record<string, unknown>,
  ) => void;
}

/** sun_path of unix(7) takes 107 octets; some are left for clients that add to the path. */
const LONGEST_SOCKET_PATH = 100;
const LONGEST_BACK_OFF = 30_000;
const STABLE_AFTER = 60_000;
const KILL_AFTER = 10_000;
const PID_FILE = 'redis.pid';

/** Our own redis-server as a child process, on a Unix socket only, restarted when it dies. */
export class RedisServer {
  readonly #folder: string;
  readonly #options: RedisServerOptions;
  /** Path of the Unix socket; the same over restarts. */
  readonly socket: string;
  readonly #ownSocketFolder: string | undefined;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #backOff: number;
  #restart: NodeJS.Timeout | undefined;
  #stopped = false;
  #restarts = 0;

  constructor(
    folder: string,
    socket: { readonly path: string; readonly ownFolder?: string },
    options: RedisServerOptions,
  ) {
    this.#folder = folder;
    this.socket = socket.path;
    this.#ownSocketFolder = socket.ownFolder;
    this.#options = options;
    this.#backOff = options.backOff ?? 100;
  }

  /** Process id of the running server, undefined between a death and the restart. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** How often it had to be restarted. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Starts the process and resolves when it answers. Rejects with StoreError REDIS_MISSING or REDIS_FAILED. */
  async start(): Promise<void> {
    const child = await this.#spawn();
    const within = this.#options.startWithin ?? 15_000;
    const died = this.#exited.then(() => {
      throw new StoreError(
        'REDIS_FAILED',
        `redis-server ended at once; see ${join(this.#folder, 'redis.log')}`,
      );
    });
    try {
      await Promise.race([
        died,
        answers(this.socket, within, () => child.exitCode === null && !this.#stopped),
      ]);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** SIGTERM, which makes Redis write everything down, then waits. May be called twice. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#restart);
    this.#child?.kill('SIGTERM');
    const child = this.#child;
    const timer = setTimeout(() => child?.kill('SIGKILL'), KILL_AFTER);
    await this.#exited;
    clearTimeout(timer);
    if (this.#ownSocketFolder !== undefined)
      await rm(this.#ownSocketFolder, { recursive: true, force: true });
  }

  async #spawn(): Promise<ChildProcess> {
    await unlink(this.socket).catch(() => undefined);
    const program = this.#options.program ?? 'redis-server';
    const child = spawn(program, settings(this.#folder, this.socket), {
      cwd: this.#folder,
      stdio: 'ignore',
      // Out of the terminal's group: a Ctrl-C there is for the recorder, which still needs its queues to end well.
      detached: true,
    });
    const bornAt = performance.now();
    try {
      await once(child, 'spawn');
    } catch (error) {
      if (codeOf(error) === 'ENOENT')
        throw new StoreError('REDIS_MISSING', `${program} is not installed: apt-get install redis-server`, {
          cause: error,
        });
      throw new StoreError('REDIS_FAILED', `${program} could not be started`, { cause: error });
    }
    this.#child = child;
    this.#exited = new Promise((done) => {
      child.once('exit', (code, signal) => {
        this.#child = undefined;
        done();
        if (!this.#stopped)
          this.#startAgain(`ended with ${String(code ?? signal)}`, performance.now() - bornAt);
      });
    });
    return child;
  }

  #startAgain(why: string, lived: number): void {
    if (lived > STABLE_AFTER) this.#backOff = this.#options.backOff ?? 100;
    this.#options.log?.('warn', 'redis-server will be restarted', { why, inMilliseconds: this.#backOff });
    this.#restart = setTimeout(() => {
      this.#restarts += 1;
      this.#spawn().catch((error: unknown) => {
        if (!this.#stopped) this.#startAgain(String(error), 0);
      });
    }, this.#backOff);
    this.#restart.unref();
    this.#backOff = Math.min(this.#backOff * 2, LONGEST_BACK_OFF);
  }
}

/** No TCP port, every change in a file, nothing evicted: jobs are not a cache. */
const settings = (folder: string, socket: string): readonly string[] => [
  ...['--port', '0', '--unixsocket', socket, '--unixsocketperm', '700'],
  ...['--dir', folder, '--logfile', join(folder, 'redis.log'), '--daemonize', 'no'],
  ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''],
  ...['--pidfile', join(folder, PID_FILE)],
  ...['--maxmemory-policy', 'noeviction', '--supervised', 'no'],
];

/** Starts a Redis of our own whose files are in `<dataDir>/redis`. Rejects with StoreError REDIS_MISSING or REDIS_FAILED. */
export async function startRedisServer(
  dataDir: string,
  options: RedisServerOptions = {},
): Promise<RedisServer> {
  await mkdir(join(dataDir, 'redis'), { recursive: true, mode: 0o700 });
  const folder = await realpath(join(dataDir, 'redis'));
  await endOrphan(folder);
  const server = new RedisServer(folder, await socketPath(folder), options);
  await server.start();
  return server;
}

async function socketPath(folder: string): Promise<{ readonly path: string; readonly ownFolder?: string }> {
  const path = join(folder, 'redis.sock');
  if (Buffer.byteLength(path) <= LONGEST_SOCKET_PATH) return { path };
  const ownFolder = await mkdtemp(join(tmpdir(), 'sealtape-redis-'));
  return { path: join(ownFolder, 'redis.sock'), ownFolder };
}

/** Resolves when the server says PONG; while it reads its files it says LOADING. */
async function answers(socket: string, within: number, goOn: () => boolean): Promise<void> {
  const until = performance.now() + within;
  while (goOn()) {
    if ((await ping(socket)).startsWith('+PONG')) return;
    if (performance.now() > until)
      throw new StoreError('REDIS_FAILED', `redis-server does not answer on ${socket} after ${within} ms`);
    await pause();
  }
  throw new StoreError('REDIS_FAILED', 'redis-server ended before it answered');
}

const pause = (): Promise<void> => new Promise((done) => setTimeout(done, 20));

/**
 * A recorder that was killed leaves its Redis running, and two must not write the same files. The process is ours when it is
 * named in our folder, runs in our folder and is a redis-server.
 */
async function endOrphan(folder: string): Promise<void> {
  const pid = Number(await readFile(join(folder, PID_FILE), 'utf8').catch(() => ''));
  if (!Number.isInteger(pid) || pid <= 1) return;
  const isOurs = async (): Promise<boolean> => {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    return name.startsWith('redis-server') && (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === folder;
  };
  const killAt = performance.now() + KILL_AFTER;
  for (
    let signal: NodeJS.Signals | 0 = 'SIGTERM';
    await isOurs();
    signal = performance.now() > killAt ? 'SIGKILL' : 0
  ) {
    try {
      kill(pid, signal);
    } catch (error) {
      if (codeOf(error) !== 'ESRCH')
        throw new StoreError('REDIS_FAILED', `redis-server ${pid} of an earlier run cannot be ended`, {
          cause: error,
        });
    }
    await pause();
  }
}

/** What the server says to PING, '' when nothing listens. */
function ping(socket: string): Promise<string> {
  return new Promise((done) => {
    const client = connect(socket);
    client.setTimeout(1000, () => client.destroy());
    client.once('connect', () => client.write('PING\r\n'));
    client.once('data', (data) => {
      done(data.toString());
      client.destroy();
    });
    client.once('error', () => undefined);
    client.once('close', () => {
      done('');
    });
  });
}
