import { execFile } from 'node:child_process';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);
const BINARIES = '/usr/lib/postgresql';

/** A PostgreSQL cluster of one test file, reachable through a socket in its own folder. */
export interface Postgres {
  /** Creates a database, empty or a copy of another that nobody is connected to, and returns how to connect to it. */
  createDatabase(
    name: string,
    copyOf?: string,
  ): Promise<{ readonly host: string; readonly user: string; readonly database: string }>;
  /** As its superuser. Whoever connects ends the connection. */
  connect(database: string): Promise<pg.Client>;
  start(): Promise<void>;
  dropDatabase(name: string): Promise<void>;
  /** Ends every connection at once. */
  stop(): Promise<void>;
  /** Stops the cluster and removes its files. */
  remove(): Promise<void>;
}

/** Makes and starts a cluster with the newest PostgreSQL of this machine (Debian's package `postgresql`). */
export async function startPostgres(): Promise<Postgres> {
  const binaries = await newestBinaries();
  const owner = await clusterOwner();
  const root = await mkdtemp(join(tmpdir(), 'pg-'));
  if (owner !== undefined) await chown(root, owner.uid, owner.gid);
  const data = join(root, 'data');
  const call = async (program: string, args: readonly string[]): Promise<void> => {
    await run(join(binaries, program), args, { cwd: root, ...owner });
  };
  await call('initdb', [
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ]);

  let running = false;
  const start = async (): Promise<void> => {
    const options = `-k ${root} -c listen_addresses= -c fsync=off`;
    await call('pg_ctl', ['-D', data, '-w', '-t', '25', '-l', join(root, 'log'), '-o', options, 'start']);
    running = true;
  };
  const stop = async (): Promise<void> => {
    if (!running) return;
    running = false;
    await call('pg_ctl', ['-D', data, '-w', '-m', 'fast', 'stop']);
  };
  await start();
  return {
    start,
    stop,
    createDatabase: async (name, copyOf = 'template1') => {
      await call('createdb', ['-h', root, '-U', 'postgres', '-T', copyOf, name]);
      return { host: root, user: 'postgres', database: name };
    },
    connect: async (database) => {
      const client = new pg.Client({ host: root, user: 'postgres', database });
      await client.connect();
      return client;
    },
    dropDatabase: async (name) => {
      await call('dropdb', ['-h', root, '-U', 'postgres', name]);
    },
    remove: async () => {
      await stop();
      await rm(root, { recursive: true });
    },
  };
}

async function newestBinaries(): Promise<string> {
  const versions = await readdir(BINARIES).catch(() => []);
  const [newest] = versions.sort((a, b) => Number(b) - Number(a));
  if (newest === undefined)
    throw new Error(`no PostgreSQL in ${BINARIES}: install the Debian package postgresql`);
  return join(BINARIES, newest, 'bin');
}

/** PostgreSQL refuses to run as root; its package brings the user `postgres`. */
async function clusterOwner(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const number = async (flag: string): Promise<number> =>
    Number((await run('id', [flag, 'postgres'])).stdout);
  return { uid: await number('-u'), gid: await number('-g') };
}
