import type { Worker } from 'node:worker_threads';
import type { DiskRhythm } from './audio-disk.ts';
import type { DtlsIdentity } from './dtls/dtls-identity.ts';
import type { CaptureChange, CaptureRequest, CaptureResult, OpenedCapture } from './capture.ts';
import { MediaError } from './media-error.ts';
import { QUARANTINE_MS } from './port-pool.ts';
import { closeDescriptors, type ReceiverKind } from './receiver/open-receiver.ts';
import { OpenSockets } from './receiver/open-sockets.ts';
import { ThreadClient } from './thread-client.ts';
import { restBell } from './thread-rest.ts';
import type { PressedKey, Segment } from './capture.ts';
import type { ThreadData, ThreadTotals } from './thread-messages.ts';
import { addTotals, NO_TOTALS } from './thread-totals.ts';

/** Between the death of a thread and its successor; doubled with every death that follows soon. */
const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 30_000;
/** A thread that lived so long died of something else than its start. */
const SETTLED_MS = 60_000;
/** Closing files waits for the disk; after this a thread is ended whatever it does. */
const STOP_MS = 20_000;

/** Where lines for the operator go; a pino logger fits. */
export interface MediaLog {
  info(line: string): void;
  warn(line: string): void;
}

export interface ThreadSlotOptions {
  readonly ports: string;
  readonly receiver: ReceiverKind;
  readonly rhythm?: DiskRhythm | undefined;
  readonly dtls?: DtlsIdentity | undefined;
  readonly log: MediaLog;
  readonly spawn: (data: ThreadData) => Worker;
  /** A running capture's thread died. */
  readonly lost: (capture: string, error: MediaError) => void;
  /** A running capture can no longer write. */
  readonly failure: (capture: string, error: MediaError) => void;
  readonly key: (capture: string, key: PressedKey) => void;
  readonly segment: (capture: string, segment: Segment) => void;
}

/** The place of one media thread with its part of the ports: keeps a thread running in it, one after the other. */
export class ThreadSlot {
  readonly #options: ThreadSlotOptions;
  /** Ports of the captures that run. */
  readonly #captures = new Map<string, readonly number[]>();
  /** Ports of captures that ended lately, with the time, the longest rested first. */
  readonly #used = new Map<number, number>();
  #client: ThreadClient | undefined;
  #ready = false;
  #opening = 0;
  #latest = NO_TOTALS;
  #ofDeadThreads = NO_TOTALS;
  #restartAfter = FIRST_RESTART_MS;
  #restart: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: ThreadSlotOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#ready;
  }

  /** Captures that run or are about to. */
  get load(): number {
    return this.#captures.size + this.#opening;
  }

  /** Resolves when the thread takes calls; rejects with MediaError when it cannot start. */
  async start(): Promise<void> {
    const openSockets = new OpenSockets();
    const bell = restBell();
    const startedAt = Date.now();
    const { ports, receiver, rhythm, dtls, log, spawn } = this.#options;
    const worker = spawn({
      ports,
      receiver,
      rhythm,
      dtls,
      used: this.#portsToRest(startedAt),
      openSockets: openSockets.shared,
      bell,
    });
    const client = new ThreadClient(worker, bell, {
      failure: this.#options.failure,
      key: this.#options.key,
      segment: this.#options.segment,
      log: (line) => {
        log.info(line);
      },
      gone: (error) => {
        // What the thread opened by system calls of its own is not closed by its end.
        closeDescriptors(openSockets.takeAll());
        if (Date.now() - startedAt > SETTLED_MS) this.#restartAfter = FIRST_RESTART_MS;
        this.#bury(error);
      },
    });
    this.#client = client;
    const kind = await client.ready;
    this.#ready = true;
    log.info(`media thread for ports ${ports} is ready, receiver ${kind}`);
  }

  async open(request: CaptureRequest): Promise<OpenedCapture> {
    this.#opening += 1;
    try {
      return this.#note(request.id, await this.#running().call('open', request));
    } finally {
      this.#opening -= 1;
    }
  }

  async change(change: CaptureChange): Promise<OpenedCapture> {
    return this.#note(change.id, await this.#running().call('change', change));
  }

  async succeed(id: string, next: CaptureRequest): Promise<OpenedCapture> {
    const opened = this.#note(next.id, await this.#running().call('succeed', { id, next }));
    // The ports go on in the other capture; they do not rest when this one is closed.
    this.#captures.set(id, []);
    return opened;
  }

  async close(id: string, at: number, cut: boolean): Promise<CaptureResult> {
    try {
      return await this.#running().call('close', { id, at, cut });
    } finally {
      this.#forget(id);
    }
  }

  /** Totals of this and of former threads; of a thread that just died, as last told. */
  async totals(): Promise<ThreadTotals> {
    try {
      this.#latest = await this.#running().call('totals', undefined);
    } catch {
      // It is gone; what it told before has been added to the dead ones.
    }
    return addTotals(this.#ofDeadThreads, this.#latest);
  }

  /** A thread that is gone waits for nothing. */
  async diskWait(): Promise<number> {
    try {
      return await this.#running().call('diskWait', undefined);
    } catch {
      return 0;
    }
  }

  async silence(id: string): Promise<number> {
    return this.#running().call('silence', id);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const client = this.#client;
    if (client === undefined) return;
    if (this.#ready) await this.#closeCaptures(client);
    await client.terminate();
  }

  async #closeCaptures(client: ThreadClient): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STOP_MS);
    });
    try {
      await Promise.race([client.call('stop', undefined), tooLong]);
    } catch (error) {
      this.#options.log.warn(`media thread: ${(error as Error).message}`);
    } finally {
      clearTimeout(timer);
    }
  }

  #running(): ThreadClient {
    if (this.#client === undefined || !this.#ready)
      throw new MediaError('STOPPED', 'media thread is not running');
    return this.#client;
  }

  #note(id: string, opened: OpenedCapture): OpenedCapture {
    this.#captures.set(
      id,
      opened.lines.map((line) => line.port),
    );
    return opened;
  }

  #forget(id: string): void {
    const now = Date.now();
    // In order of time, so that a call costs what it adds and not what all before it left.
    for (const [port, at] of this.#used) {
      if (at + QUARANTINE_MS >= now) break;
      this.#used.delete(port);
    }
    for (const port of this.#captures.get(id) ?? []) {
      this.#used.delete(port);
      this.#used.set(port, now);
    }
    this.#captures.delete(id);
  }

  /** Ports on which clients of the thread before may still be streaming. */
  #portsToRest(now: number): [number, number][] {
    return [...this.#used].filter(([, at]) => at + QUARANTINE_MS > now);
  }

  #bury(error: MediaError): void {
    this.#client = undefined;
    this.#ready = false;
    this.#ofDeadThreads = addTotals(this.#ofDeadThreads, this.#latest);
    this.#latest = NO_TOTALS;
    if (this.#stopping) return;
    const lost = [...this.#captures.keys()];
    this.#options.log.warn(`${error.message}; ${lost.length} captures are lost to it`);
    for (const id of lost) {
      this.#forget(id);
      this.#options.lost(id, error);
    }
    this.#startLater();
  }

  #startLater(): void {
    if (this.#stopping || this.#restart !== undefined) return;
    this.#restart = setTimeout(() => {
      this.#restart = undefined;
      this.start().catch((error: unknown) => {
        this.#options.log.warn(`media thread does not start: ${(error as Error).message}`);
        this.#startLater();
      });
    }, this.#restartAfter);
    this.#restart.unref();
    this.#restartAfter = Math.min(LAST_RESTART_MS, this.#restartAfter * 2);
  }
}
