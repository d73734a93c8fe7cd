import { open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '../log.ts';
import { syncDirectory, TEMPORARY } from './create-once.ts';
import { codeOf, StoreError } from './store-error.ts';

export interface DialogBookOptions {
  /** Milliseconds by which a change may be later on the disk than it was said. Default 250. */
  readonly within?: number;
  /** Milliseconds for which what a dialog said stays on the disk after its end, as long as few run. Default 30,000. */
  readonly rest?: number;
  readonly log: Log;
}

const FILE = 'dialogs.jsonl';
const WITHIN = 250;
const REST = 30_000;
/** A file below this many octets is not worth writing anew. */
const SMALL = 1_000_000;
/** More than this is no dialog any more, and is not kept. */
const MOST = 256 * 1024;
const GONE = 'null';

/** A dialog on the disk. Its text is some kilobytes: it is not kept, but written again where it is needed again. */
interface Line {
  readonly length: number;
  readonly text: () => string;
}

const fixed = (line: string): Line => ({ length: line.length, text: () => line });

/**
 * What a start after a crash needs of the running calls: one text each, newest line of a file `dialogs.jsonl`. Written behind everything else,
 * several changes at once; a call that is over before its line was written is never written. Nobody waits for it but `close`.
 */
export class DialogBook {
  readonly #path: string;
  readonly #within: number;
  readonly #log: Log;
  /** What a reader of the file finds. */
  readonly #lines = new Map<string, Line>();
  readonly #changes = new Map<string, (() => string) | undefined>();
  #file: FileHandle | undefined;
  #octets = 0;
  readonly #rest: number;
  /** The file has lines that no reader needs. */
  #stale = false;
  #timer: NodeJS.Timeout | undefined;
  #sweep: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #frozen = false;
  #failing = false;

  constructor(
    path: string,
    left: ReadonlyMap<string, string>,
    { within = WITHIN, rest = REST, log }: DialogBookOptions,
  ) {
    this.#path = path;
    this.#within = within;
    this.#rest = rest;
    this.#log = log;
    for (const [id, line] of left) this.#lines.set(id, fixed(line));
  }

  /** Keeps a dialog as `compose` (JSON) gives it whenever it is written. Never throws, never waits. */
  keep(id: string, compose: () => string): void {
    this.#change(id, compose);
  }

  /** The dialog is over. */
  forget(id: string): void {
    if (this.#lines.has(id)) this.#change(id, undefined);
    else this.#changes.delete(id);
  }

  /** Writes what is still to be written; what is said later is not taken any more. Never rejects. */
  async freeze(): Promise<void> {
    if (this.#frozen) return this.#turn;
    clearTimeout(this.#timer);
    const written = this.#write();
    this.#frozen = true;
    await written;
    // What becomes of the calls from now on is not theirs to tell.
    for (const [id, { text }] of this.#lines) {
      const line = this.#read(text);
      if (line === undefined) this.#lines.delete(id);
      else this.#lines.set(id, fixed(line));
    }
  }

  /** See `freeze`; leaves nothing of dialogs that are over. May be called twice. */
  async close(): Promise<void> {
    await this.freeze();
    clearTimeout(this.#sweep);
    await this.#tidy();
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  #change(id: string, compose: (() => string) | undefined): void {
    if (this.#frozen) return;
    this.#changes.set(id, compose);
    this.#timer ??= setTimeout(() => void this.#write(), this.#within).unref();
  }

  #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#turn = this.#turn.then(() => this.#writeChanges());
    return this.#turn;
  }

  async #writeChanges(): Promise<void> {
    const fresh = [...this.#changes].flatMap(([id, compose]) => this.#take(id, compose));
    this.#changes.clear();
    if (fresh.length === 0 && !this.#failing) return;
    this.#sweepLater();
    try {
      if (this.#file === undefined || this.#isLarge()) await this.#writeAnew();
      else await this.#append(this.#file, fresh.join(''));
      this.#failing = false;
    } catch (error) {
      await this.#failed(error);
    }
  }

  /** The line to be written; none for a dialog that came and went, or that cannot be composed. */
  #take(id: string, compose: (() => string) | undefined): readonly string[] {
    const text = (): string => `{"id":${JSON.stringify(id)},"state":${compose?.() ?? GONE}}\n`;
    const line = this.#read(text);
    if (line === undefined) return [];
    this.#stale ||= this.#lines.has(id);
    if (line === goneLine(id) || line.length > MOST) return this.#lines.delete(id) ? [goneLine(id)] : [];
    this.#lines.set(id, { length: line.length, text });
    return [line];
  }

  #read(text: () => string): string | undefined {
    try {
      return text();
    } catch (error) {
      this.#log('error', 'a dialog could not be kept for the next start', { error: String(error) });
      return undefined;
    }
  }

  #isLarge(): boolean {
    return this.#octets >= SMALL && this.#octets > 4 * this.#live();
  }

  #live(): number {
    return [...this.#lines.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Who spoke with whom is not kept for longer than the next start needs it. With many calls the file is soon written anew anyway. */
  #sweepLater(): void {
    if (!this.#stale || this.#frozen) return;
    this.#sweep ??= setTimeout(() => {
      this.#sweep = undefined;
      this.#turn = this.#turn.then(async () => {
        if (this.#live() < SMALL) await this.#tidy();
        this.#sweepLater();
      });
    }, this.#rest).unref();
  }

  /** Leaves in the file what a reader needs, and nothing else. */
  async #tidy(): Promise<void> {
    if (!this.#stale || this.#file === undefined) return;
    try {
      await this.#writeAnew();
    } catch (error) {
      await this.#failed(error);
    }
  }

  async #append(file: FileHandle, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    await file.writeFile(bytes);
    await file.datasync();
    this.#octets += bytes.length;
  }

  /** A crash leaves the file before or this one. */
  async #writeAnew(): Promise<void> {
    const temporary = `${this.#path}${TEMPORARY}`;
    const file = await open(temporary, 'w', 0o600);
    try {
      this.#octets = 0;
      await this.#append(file, [...this.#lines.values()].map(({ text }) => this.#read(text) ?? '').join(''));
      await rename(temporary, this.#path);
      await syncDirectory(dirname(this.#path));
      this.#stale = false;
    } catch (error) {
      await file.close();
      throw error;
    }
    const before = this.#file;
    this.#file = file;
    await before?.close();
  }

  /** All of it is written anew with the next change, or in a while. */
  async #failed(error: unknown): Promise<void> {
    if (!this.#failing)
      this.#log('error', 'running calls cannot be kept for the next start', { error: String(error) });
    this.#failing = true;
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
    if (!this.#frozen) this.#timer ??= setTimeout(() => void this.#write(), 20 * this.#within).unref();
  }
}

const goneLine = (id: string): string => `{"id":${JSON.stringify(id)},"state":${GONE}}\n`;

/**
 * Opens `dialogs.jsonl` of a data directory. `left` is what the process before left, by id: to be kept again or forgotten; until then
 * it stays. Lines that cannot be read (a crash tears the last one) are passed over. Rejects with StoreError DISK.
 */
export async function openDialogBook(
  dataDir: string,
  options: DialogBookOptions,
): Promise<{ readonly book: DialogBook; readonly left: ReadonlyMap<string, unknown> }> {
  const path = join(dataDir, FILE);
  const lines = new Map<string, string>();
  const left = new Map<string, unknown>();
  for (const line of (await textOf(path)).split('\n')) {
    const entry = readLine(line);
    if (entry === undefined) continue;
    lines.delete(entry.id);
    left.delete(entry.id);
    if (entry.state === null) continue;
    lines.set(entry.id, `${line}\n`);
    left.set(entry.id, entry.state);
  }
  return { book: new DialogBook(path, lines, options), left };
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw new StoreError('DISK', `${path} cannot be read`, { cause: error });
  }
}

function readLine(line: string): { readonly id: string; readonly state: unknown } | undefined {
  try {
    const { id, state } = JSON.parse(line) as { readonly id?: unknown; readonly state?: unknown };
    return typeof id === 'string' && state !== undefined ? { id, state } : undefined;
  } catch {
    return undefined;
  }
}
