import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { link, mkdir, readdir, statfs, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { SealFiles } from '../jobs/ports.ts';
import type { RecordingFolders } from '../recorder/ports.ts';
import { syncDirectory, TEMPORARY } from './create-once.ts';
import { SpoolThreads } from './spool-threads.ts';
import { codeOf, StoreError } from './store-error.ts';

export interface SpoolOptions {
  /** Milliseconds between measurements of the free space. Default 2000. */
  readonly measureEvery?: number;
  /** Threads that work on the files of recordings, at most; default 0, where the caller's own thread does it. */
  readonly threads?: number;
}

/** Ids and names come from our own code; nothing else may become a path. */
const NAME = /^[A-Za-z0-9._+-]{1,200}$/;

/** One folder for each recording that is not yet delivered everywhere: working files first, sealed files later. */
export class Spool implements RecordingFolders, SealFiles {
  readonly #root: string;
  readonly #timer: NodeJS.Timeout;
  readonly #threads: SpoolThreads;
  #room: DiskRoom;
  #measuring = false;

  constructor(root: string, room: DiskRoom, { measureEvery = 2000, threads = 0 }: SpoolOptions) {
    this.#root = root;
    this.#threads = new SpoolThreads(threads);
    this.#room = room;
    this.#timer = setInterval(() => void this.#measure(), measureEvery);
    this.#timer.unref();
  }

  folderOf(recording: string): string {
    if (!NAME.test(recording) || /^\.+$/.test(recording))
      throw new StoreError('INVALID', `not a recording id: ${JSON.stringify(recording)}`);
    return join(this.#root, recording);
  }

  async discard(recording: string): Promise<void> {
    await this.#threads.order({ what: 'discard', folder: this.folderOf(recording) });
  }

  async parts(recording: string): Promise<readonly string[]> {
    const folder = this.folderOf(recording);
    const names = await namesIn(folder);
    return names.filter((name) => name.endsWith('.part')).map((name) => join(folder, name));
  }

  freeBytes(): number {
    return this.#room.free;
  }

  /** How full the spool's disk is, 0 to 1. */
  fullness(): number {
    return this.#room.fullness;
  }

  /** Recordings that have a folder, in order of their ids, for recovery at start-up. */
  async list(): Promise<readonly string[]> {
    const entries = await readdir(this.#root, { withFileTypes: true });
    return entries
      .flatMap((entry) => (entry.isDirectory() && NAME.test(entry.name) ? entry.name : []))
      .sort();
  }

  async digest(
    path: string,
    audioOffset: number,
    beginnings: readonly number[] = [],
  ): ReturnType<SealFiles['digest']> {
    const digest = await this.#threads.order({ what: 'digest', path, audioOffset, beginnings });
    if (digest === undefined) throw new StoreError('DISK', `${path} was not read`);
    return digest;
  }

  async createOnce(
    recording: string,
    files: readonly { readonly name: string; readonly bytes: Uint8Array }[],
  ): Promise<void> {
    const created = files.map(({ name, bytes }) => ({ path: this.path(recording, name), bytes }));
    await this.#threads.order({ what: 'create', files: created });
  }

  /** Never replaces a file: throws StoreError DIFFERENT when another one has the final name, MISSING when there is neither. */
  async finish(
    recording: string,
    files: readonly { readonly from: string; readonly name: string }[],
  ): Promise<void> {
    const folder = this.folderOf(recording);
    const finished = files.map(({ from, name }) => ({ from, to: this.path(recording, name) }));
    await this.#threads.order({ what: 'finish', folder, files: finished });
  }

  async receive(
    recording: string,
    { name, sha256 }: { readonly name: string; readonly sha256: string },
    octets: Readable,
  ): Promise<void> {
    const to = this.path(recording, name);
    const folder = this.folderOf(recording);
    await mkdir(folder, { recursive: true, mode: 0o750 });
    await syncDirectory(this.#root);
    const temporary = `${to}.${randomUUID()}${TEMPORARY}`;
    const hash = createHash('sha256');
    const hashing = new Transform({
      transform(part: Buffer, _encoding, done) {
        hash.update(part);
        done(null, part);
      },
    });
    try {
      await pipeline(
        octets,
        hashing,
        createWriteStream(temporary, { flags: 'wx', flush: true, mode: 0o640 }),
      );
      if (hash.digest('hex') !== sha256) throw new StoreError('DIFFERENT', `${name} is not what was sealed`);
      await link(temporary, to).catch(async (error: unknown) => {
        if (codeOf(error) !== 'EEXIST' || (await this.digest(to, 0)).sha256 !== sha256) throw error;
      });
    } finally {
      await unlink(temporary).catch(() => undefined);
    }
    await syncDirectory(folder);
  }

  async sync(recording: string): Promise<void> {
    await this.#threads.order({ what: 'sync', folder: this.folderOf(recording) });
  }

  path(recording: string, name: string): string {
    if (!NAME.test(name) || /^\.+$/.test(name))
      throw new StoreError('INVALID', `not a file name: ${JSON.stringify(name)}`);
    return join(this.folderOf(recording), name);
  }

  /** Ends the measuring and the threads. May be called twice. */
  close(): void {
    this.#threads.close();
    clearInterval(this.#timer);
  }

  async #measure(): Promise<void> {
    if (this.#measuring) return;
    this.#measuring = true;
    // A disk that does not answer has no room: the recorder then turns calls away instead of losing them.
    this.#room = await roomOf(this.#root).catch(() => ({ free: 0, fullness: 1 }));
    this.#measuring = false;
  }
}

/** Opens `<dataDir>/spool`, making it when absent and removing the temporary files of an earlier run. */
export async function openSpool(dataDir: string, options: SpoolOptions = {}): Promise<Spool> {
  const root = resolve(dataDir, 'spool');
  await mkdir(root, { recursive: true, mode: 0o750 });
  await syncDirectory(dataDir);
  const spool = new Spool(root, await roomOf(root), options);
  for (const recording of await spool.list()) await sweep(join(root, recording));
  return spool;
}

async function sweep(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) if (name.endsWith(TEMPORARY)) await unlink(join(folder, name));
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

interface DiskRoom {
  /** Bytes. */
  readonly free: number;
  readonly fullness: number;
}

/** As `df` counts: what is kept back for root is neither free nor part of the disk. */
async function roomOf(path: string): Promise<DiskRoom> {
  const { bavail, bsize, blocks, bfree } = await statfs(path);
  const used = blocks - bfree;
  return { free: bavail * bsize, fullness: used + bavail === 0 ? 1 : used / (used + bavail) };
}
