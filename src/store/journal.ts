import { join } from 'node:path';
import type { JournalReader, NumberedEvent } from '../jobs/ports.ts';
import type { RecorderEvent } from '../recorder/events.ts';
import type { EventJournal } from '../recorder/ports.ts';
import { nodeDisk, type JournalDisk, type JournalFile } from './journal-disk.ts';
import { encodeLine } from './journal-line.ts';
import {
  openSegments,
  readSegment,
  segmentPath,
  type OpenedSegments,
  type Segment,
} from './journal-segment.ts';
import { RecentEvents } from './recent-events.ts';
import { StoreError } from './store-error.ts';

export interface JournalOptions {
  /** Octets after which a new file is begun. Default 16 MiB. */
  readonly rotateAt?: number;
  /** Milliseconds between tries to write again after a failure. Default 2000. */
  readonly retryEvery?: number;
  readonly disk?: JournalDisk;
  /** Characters of the last events kept in memory, so that they need not be read from the disk. Default 4 Mi. */
  readonly recent?: number;
}

interface Waiting {
  readonly json: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Octets of one fdatasync. */
const BATCH = 4 * 1024 * 1024;
/** What a probe writes and takes back, to know that a refused disk takes events again. */
const PROBE = Buffer.alloc(64 * 1024, '\n');

/**
 * The durable outbox between recorder and database. Events are JSON lines with a checksum in files that only grow; events that
 * arrive while an fdatasync runs share the next one. What was acknowledged is there after any crash; what was rejected is not.
 */
export class Journal implements EventJournal, JournalReader {
  readonly #folder: string;
  readonly #disk: JournalDisk;
  readonly #rotateAt: number;
  readonly #retryEvery: number;
  readonly #segments: Segment[];
  readonly #recent: RecentEvents;
  /** What was not as it should be, at start-up or since; for the log. */
  readonly damage: string[];
  #next: number;
  #file: JournalFile | undefined;
  #mayContinue: boolean;
  #writable = true;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #probeDue = false;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #listeners: (() => void)[] = [];

  constructor(folder: string, opened: OpenedSegments, options: JournalOptions) {
    this.#folder = folder;
    this.#disk = options.disk ?? nodeDisk;
    this.#rotateAt = options.rotateAt ?? 16 * 1024 * 1024;
    this.#retryEvery = options.retryEvery ?? 2000;
    this.#segments = opened.segments;
    this.#recent = new RecentEvents(options.recent ?? 4 * 1024 * 1024);
    this.#next = opened.next;
    this.#mayContinue = opened.lastIsClean;
    this.damage = opened.damage;
  }

  /** Number of the newest event on disk; 0 when there never was one. */
  get lastSequence(): number {
    return this.#next - 1;
  }

  get writable(): boolean {
    return this.#writable;
  }

  append(event: RecorderEvent): Promise<void> {
    if (this.#closed) return Promise.reject(new StoreError('CLOSED', 'the journal is closed'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ json: JSON.stringify(event), resolve, reject });
      this.#start();
    });
  }

  onAppend(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async after(sequence: number, limit: number): Promise<readonly NumberedEvent[]> {
    const recent = this.#recent.after(sequence, limit);
    if (recent !== undefined) return recent;
    const events: NumberedEvent[] = [];
    let through = sequence;
    for (const segment of [...this.#segments]) {
      const last = segment.places.at(-1)?.sequence ?? 0;
      while (through < last && events.length < limit) {
        const range = { after: through, limit: limit - events.length };
        const read = await readSegment(segment, range, this.#disk, (text) => this.damage.push(text));
        events.push(...read.events);
        through = read.through;
      }
    }
    return events;
  }

  /**
   * States that numbers up to `sequence` are used, as the database's cursor says. Call it with the cursor before the first
   * append: should the journal's folder have been lost, new events must not get numbers the cursor has already passed.
   */
  reserve(sequence: number): void {
    if (sequence < this.#next) return;
    this.damage.push(
      `the database has seen event ${sequence}, the journal only ${this.#next - 1}: files are missing`,
    );
    this.#next = sequence + 1;
  }

  async forget(sequence: number): Promise<void> {
    this.#recent.forget(sequence);
    // The newest file stays even when all of it is applied: its name and lines carry the numbering over a restart.
    while (this.#segments.length > 1) {
      const [oldest] = this.#segments;
      if (oldest === undefined || (oldest.places.at(-1)?.sequence ?? 0) > sequence) return;
      this.#segments.shift();
      await this.#disk.remove(oldest.path);
    }
  }

  /** Waits for what was appended. Later appends are rejected. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    while (this.#running !== undefined) await this.#running;
    await this.#file?.close();
    this.#file = undefined;
  }

  #start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // One turn of the loop later, so that appends made together are written together.
    await Promise.resolve();
    while (this.#waiting.length > 0 || this.#probeDue) {
      if (this.#waiting.length > 0) await this.#writeBatch();
      else await this.#probe();
    }
    // At once, not in a later turn: an append in between would wait for nobody.
    this.#running = undefined;
  }

  async #writeBatch(): Promise<void> {
    const { batch, lines, first } = this.#takeBatch();
    try {
      await this.#put(Buffer.concat(lines), { first, keep: true });
    } catch (error) {
      this.#failed();
      const failure = new StoreError('DISK', 'the journal cannot be written', { cause: error });
      for (const { reject } of batch) reject(failure);
      return;
    }
    const segment = this.#segments.at(-1);
    for (const [position, line] of lines.entries()) {
      segment?.places.push({ sequence: first + position, offset: segment.size, length: line.length });
      if (segment !== undefined) segment.size += line.length;
      this.#recent.add(first + position, batch[position]?.json ?? '');
    }
    // Not simply counted on: `reserve` may have raised it during the write.
    this.#next = Math.max(this.#next, first + lines.length);
    this.#writable = true;
    for (const { resolve } of batch) resolve();
    for (const listener of this.#listeners) listener();
  }

  #takeBatch(): {
    readonly batch: readonly Waiting[];
    readonly lines: readonly Buffer[];
    readonly first: number;
  } {
    const lines: Buffer[] = [];
    const first = this.#next;
    let octets = 0;
    for (const { json } of this.#waiting) {
      const line = encodeLine(first + lines.length, json);
      if (lines.length > 0 && octets + line.length > BATCH) break;
      lines.push(line);
      octets += line.length;
    }
    return { batch: this.#waiting.splice(0, lines.length), lines, first };
  }

  async #probe(): Promise<void> {
    this.#probeDue = false;
    try {
      await this.#put(PROBE, { first: this.#next, keep: false });
      this.#writable = true;
    } catch {
      this.#failed();
    }
  }

  /** Writes and syncs behind the last good line; leaves the file as it was when that fails, or when it is not to be kept. */
  async #put(bytes: Buffer, how: { readonly first: number; readonly keep: boolean }): Promise<void> {
    const segment = await this.#segmentToWrite(how.first);
    const file = (this.#file ??= await this.#disk.open(segment.path, 'existing'));
    let stage: 'write' | 'sync' = 'write';
    try {
      await writeFully(file, bytes, segment.size);
      stage = 'sync';
      await file.datasync();
      if (!how.keep) await file.truncate(segment.size);
    } catch (error) {
      await this.#takeBack(file, segment, stage);
      throw error;
    }
  }

  /**
   * After a failed sync the kernel may have dropped pages of this file and call the next sync a success, so the file is left
   * behind. After a failed write it is enough to cut the half line off.
   */
  async #takeBack(file: JournalFile, segment: Segment, stage: 'write' | 'sync'): Promise<void> {
    let clean = stage === 'write';
    try {
      await file.truncate(segment.size);
    } catch {
      clean = false;
    }
    if (clean) return;
    this.#mayContinue = false;
    this.#file = undefined;
    await file.close().catch(() => undefined);
  }

  async #segmentToWrite(first: number): Promise<Segment> {
    const current = this.#segments.at(-1);
    if (current !== undefined && this.#mayContinue && current.size < this.#rotateAt) return current;
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
    // A file of this name can hold nothing acknowledged, since its first number was never given; it may be emptied.
    const path = segmentPath(this.#folder, first);
    this.#file = await this.#disk.open(path, 'create');
    await this.#disk.syncFolder(this.#folder);
    if (current?.first === first) this.#segments.pop();
    const segment = { path, first, places: [], size: 0 };
    this.#segments.push(segment);
    this.#mayContinue = true;
    return segment;
  }

  #failed(): void {
    this.#writable = false;
    clearTimeout(this.#retry);
    if (this.#closed) return;
    // Without calls there are no appends, and without a success there are no calls: so it tries by itself.
    this.#retry = setTimeout(() => {
      this.#probeDue = true;
      this.#start();
    }, this.#retryEvery);
    this.#retry.unref();
  }
}

async function writeFully(file: JournalFile, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const count = await file.write(bytes.subarray(written), position + written);
    if (count === 0) throw new StoreError('DISK', 'the disk took nothing');
    written += count;
  }
}

/** Opens the journal in `folder`, reading what earlier runs left. Damage never keeps it from opening; see `damage`. */
export async function openJournal(folder: string, options: JournalOptions = {}): Promise<Journal> {
  const disk = options.disk ?? nodeDisk;
  try {
    await disk.makeFolder(folder);
    await disk.syncFolder(join(folder, '..'));
    return new Journal(folder, await openSegments(folder, disk), options);
  } catch (error) {
    throw new StoreError('DISK', `the journal in ${folder} cannot be opened`, { cause: error });
  }
}
