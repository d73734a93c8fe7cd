import { mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { withoutContent } from '../siprec/bare-message.ts';
import { ownText } from '../siprec/own-copy.ts';
import { withoutSecrets } from '../siprec/secrets.ts';
import { callIdOf, encodeTrace, tracedId, type SeenMessage, type TracedMessage } from './trace-record.ts';

export interface TraceLimits {
  /** Older files go; 0 keeps nothing. */
  readonly keepDays: number;
  /** Of all files together; the oldest go first. */
  readonly bytes: number;
  /** Of one call. */
  readonly callBytes: number;
}

type Log = (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;

/** Octets in memory that wait for the disk; what comes beyond is left out. */
const MOST_WAITING = 8 * 1024 * 1024;
/** Octets a second, averaged over `BURST_SECONDS`: a flood must neither take the CPU nor wash away what is kept. */
const MOST_PER_SECOND = 4 * 1024 * 1024;
const BURST_SECONDS = 4;
const FLUSH_EVERY = 500;
/** Messages worked on before everything else gets its turn. */
const AT_ONCE = 100;
/** Calls of which something is remembered; the oldest are forgotten. */
const MOST_CALLS = 100_000;
const LARGEST_FILE = 16 * 1024 * 1024;
const LONGEST_FILE = 3_600_000;
const PRUNE_EVERY = 600_000;
const DAY = 86_400_000;

type Seen = SeenMessage & { readonly at: number };

interface OpenFile {
  readonly handle: FileHandle;
  readonly openedAt: number;
  size: number;
}

/** `<first moment>.trace`, so that names sort by time. */
export const TRACE_NAME = /^(\d{15})\.trace$/;

/**
 * SIP messages on disk, for a while. Files, not a table: they come in floods, are worth nothing in a week, and must neither fill the database of
 * the evidence nor wait for it. `keep` only puts aside; secrets are taken out before anything is written, and of a call that the rules keep out
 * everything that tells of its content. What cannot be kept is counted and harms nobody.
 */
export class TraceFiles {
  readonly #folder: string;
  readonly #limits: TraceLimits;
  readonly #log: Log;
  readonly #octetsOf = new Map<string, number>();
  readonly #bare = new Set<string>();
  #waiting: Seen[] = [];
  /** Waiting since before the last look at the clock: by the next one it is decided what becomes of their calls. */
  #ripening: readonly Seen[] = [];
  #octetsWaiting = 0;
  #allowance = MOST_PER_SECOND * BURST_SECONDS;
  #allowedAt = Date.now();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #file: OpenFile | undefined;
  readonly #pruning: NodeJS.Timeout;
  #leftOut = 0;
  #failing = false;
  #closed = false;

  /** Makes the folder with the first message. */
  constructor(folder: string, limits: TraceLimits, log: Log) {
    this.#folder = folder;
    this.#limits = limits;
    this.#log = log;
    this.#pruning = setInterval(() => {
      this.#inTurn(() => this.#prune());
    }, PRUNE_EVERY).unref();
    this.#inTurn(() => this.#prune());
  }

  /** Messages not kept since the start: too many at once, too many of one call, or a disk that did not take them. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** Never throws, never waits. */
  keep(message: SeenMessage): void {
    const { length } = message.text;
    if (this.#limits.keepDays === 0 || this.#closed) return;
    if (this.#octetsWaiting + length > MOST_WAITING || !this.#allows(length)) {
      this.#leftOut++;
      return;
    }
    this.#waiting.push({ at: Date.now(), ...message });
    this.#octetsWaiting += length;
    this.#wake();
  }

  /** Of this call no content is kept: from the messages that are not written yet, those of the last half second at least, to its next decision. */
  keepBare(callId: string, bare: boolean): void {
    const key = tracedId(callId);
    this.#bare.delete(key);
    if (bare) this.#bare.add(key);
    forgetOldest(this.#bare);
  }

  /** Writes what waits. May be called twice. */
  async close(): Promise<void> {
    clearInterval(this.#pruning);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const last = [...this.#ripening, ...this.#waiting];
    this.#ripening = [];
    this.#waiting = [];
    this.#inTurn(() => this.#writeAll(last));
    this.#closed = true;
    this.#inTurn(() => this.#closeFile());
    await this.#running;
  }

  #allows(octets: number): boolean {
    const now = Date.now();
    const earned = ((now - this.#allowedAt) / 1000) * MOST_PER_SECOND;
    this.#allowance = Math.min(this.#allowance + Math.max(0, earned), MOST_PER_SECOND * BURST_SECONDS);
    this.#allowedAt = now;
    if (this.#allowance < octets) return false;
    this.#allowance -= octets;
    return true;
  }

  #wake(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const ripe = this.#ripening;
      this.#ripening = this.#waiting;
      this.#waiting = [];
      if (this.#ripening.length > 0) this.#wake();
      this.#inTurn(() => this.#writeAll(ripe));
    }, FLUSH_EVERY).unref();
  }

  #inTurn(work: () => Promise<void>): void {
    this.#running = this.#running.then(work).catch((error: unknown) => {
      if (!this.#failing)
        this.#log('warn', 'SIP traces cannot be written and are left out', { error: String(error) });
      this.#failing = true;
    });
  }

  async #writeAll(messages: readonly Seen[]): Promise<void> {
    for (let from = 0; from < messages.length; from += AT_ONCE) {
      const batch = messages.slice(from, from + AT_ONCE);
      this.#octetsWaiting -= batch.reduce((sum, { text }) => sum + text.length, 0);
      const lines = batch.flatMap((message) => this.#encode(message));
      try {
        await this.#write(Buffer.from(lines.join(''), 'latin1'));
      } catch (error) {
        const rest = messages.slice(from + batch.length);
        this.#octetsWaiting -= rest.reduce((sum, { text }) => sum + text.length, 0);
        this.#leftOut += batch.length + rest.length;
        await this.#closeFile();
        throw error;
      }
      await new Promise(setImmediate);
    }
    if (messages.length > 0) this.#failing = false;
  }

  #encode(message: Omit<TracedMessage, 'callId'>): readonly string[] {
    const callId = callIdOf(message.text);
    if (callId === '') return [];
    const before = this.#octetsOf.get(callId) ?? 0;
    if (before + message.text.length > this.#limits.callBytes) {
      this.#leftOut++;
      return [];
    }
    this.#octetsOf.delete(callId);
    this.#octetsOf.set(ownText(callId), before + message.text.length);
    forgetOldest(this.#octetsOf);
    const text = this.#bare.has(callId) ? withoutContent(message.text) : withoutSecrets(message.text);
    return [encodeTrace({ callId, ...message, text })];
  }

  async #write(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    const file = this.#file ?? (await this.#openFile());
    await file.handle.appendFile(bytes);
    file.size += bytes.length;
    const largest = Math.min(LARGEST_FILE, this.#limits.bytes / 8);
    if (file.size < largest && Date.now() - file.openedAt < LONGEST_FILE) return;
    await this.#closeFile();
    await this.#prune();
  }

  async #openFile(): Promise<OpenFile> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const openedAt = Date.now();
    const path = join(this.#folder, `${String(openedAt).padStart(15, '0')}.trace`);
    const handle = await open(path, 'a', 0o600);
    const file = { handle, openedAt, size: (await handle.stat()).size };
    this.#file = file;
    return file;
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
  }

  /** Removes files that are too old, and the oldest while all are too large. */
  async #prune(): Promise<void> {
    if (this.#file !== undefined && Date.now() - this.#file.openedAt >= LONGEST_FILE) await this.#closeFile();
    const names = (await readdir(this.#folder).catch(() => []))
      .filter((name) => TRACE_NAME.test(name))
      .sort();
    const files = await Promise.all(
      names.map(async (name) => ({
        path: join(this.#folder, name),
        ...(await sizeAndTime(this.#folder, name)),
      })),
    );
    const tooOld = Date.now() - this.#limits.keepDays * DAY;
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size, changedAt } of files) {
      if (changedAt >= tooOld && total <= this.#limits.bytes) continue;
      await rm(path, { force: true });
      total -= size;
    }
  }
}

function forgetOldest(calls: Pick<Map<string, unknown>, 'size' | 'keys' | 'delete'>): void {
  if (calls.size <= MOST_CALLS) return;
  for (const oldest of calls.keys()) {
    calls.delete(oldest);
    break;
  }
}

async function sizeAndTime(
  folder: string,
  name: string,
): Promise<{ readonly size: number; readonly changedAt: number }> {
  const { size, mtimeMs } = await stat(join(folder, name));
  return { size, changedAt: mtimeMs };
}
