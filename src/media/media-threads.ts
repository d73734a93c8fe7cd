import { Worker } from 'node:worker_threads';
import type { DiskRhythm } from './audio-disk.ts';
import type { DtlsIdentity } from './dtls/dtls-identity.ts';
import type { CaptureChange, CaptureRequest, CaptureResult, MediaHost, OpenedCapture } from './capture.ts';
import { MediaError } from './media-error.ts';
import { splitPortRange } from './port-pool.ts';
import type { ReceiverKind } from './receiver/open-receiver.ts';
import { type MediaLog, ThreadSlot } from './thread-slot.ts';
import type { PressedKey, Segment } from './capture.ts';
import type { ThreadData, ThreadTotals } from './thread-messages.ts';
import { addTotals } from './thread-totals.ts';

export interface MediaThreadsOptions {
  /** How many threads; one carries some thousand calls with `batch`. */
  readonly threads: number;
  /** Port range `FIRST-LAST`, divided between the threads. */
  readonly ports: string;
  readonly receiver: ReceiverKind;
  /** Default: written every second, brought to the disk every ten. */
  readonly rhythm?: DiskRhythm | undefined;
  /** What our ends of DTLS show; without it DTLS lines are not heard. */
  readonly dtls?: DtlsIdentity | undefined;
  readonly log: MediaLog;
  /** Starts a thread. Default: a worker on `media-thread` beside this file. */
  readonly spawn?: ((data: ThreadData) => Worker) | undefined;
}

/** A MediaHost on worker threads, which also tells what went wrong at its sockets. */
export interface MediaThreadsHost extends MediaHost {
  /** Sums over all threads, those that have ended included. */
  totals(): Promise<ThreadTotals>;
  /** Milliseconds for which the disk has not answered a write; the longest of all threads. For those who ask often: the totals go through all calls. */
  diskWait(): Promise<number>;
  /** Threads that are running and take calls. */
  readonly running: number;
}

/**
 * Starts the media threads and resolves when all of them are ready. Every capture goes to the thread with the fewest.
 * A thread that dies loses its captures, each reported through `onFailure` (what is on disk is recovered later), and is
 * replaced. Rejects with MediaError when a thread cannot start or the port range is too small.
 */
export async function startMediaThreads(options: MediaThreadsOptions): Promise<MediaThreadsHost> {
  const threads = new MediaThreads(options);
  try {
    await threads.start();
    return threads;
  } catch (error) {
    await threads.stop();
    throw error;
  }
}

class MediaThreads implements MediaThreadsHost {
  readonly #slots: readonly ThreadSlot[];
  readonly #owners = new Map<string, ThreadSlot>();
  /** Captures whose thread died, until their owner has closed them. */
  readonly #lost = new Set<string>();
  readonly #failureListeners: ((id: string, error: Error) => void)[] = [];
  readonly #keyListeners: ((id: string, key: PressedKey) => void)[] = [];
  readonly #segmentListeners: ((id: string, segment: Segment) => void)[] = [];
  #stopping: Promise<void> | undefined;

  constructor(options: MediaThreadsOptions) {
    const spawn = options.spawn ?? spawnMediaThread;
    this.#slots = splitPortRange(options.ports, Math.max(1, options.threads)).map(
      (ports) =>
        new ThreadSlot({
          ports,
          receiver: options.receiver,
          rhythm: options.rhythm,
          dtls: options.dtls,
          log: options.log,
          spawn,
          lost: (capture, error) => {
            this.#lose(capture, error);
          },
          failure: (capture, error) => {
            this.#fail(capture, error);
          },
          key: (capture, key) => {
            for (const listener of this.#keyListeners) listener(capture, key);
          },
          segment: (capture, segment) => {
            for (const listener of this.#segmentListeners) listener(capture, segment);
          },
        }),
    );
  }

  get running(): number {
    return this.#slots.filter((slot) => slot.running).length;
  }

  async start(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => slot.start()));
  }

  async open(request: CaptureRequest): Promise<OpenedCapture> {
    const { id } = request;
    if (this.#stopping !== undefined) throw new MediaError('STOPPED', 'media threads are stopped');
    if (this.#owners.has(id) || this.#lost.has(id))
      throw new MediaError('BAD_REQUEST', `capture ${id} is open`);
    let refusal: MediaError | undefined;
    for (const slot of this.#leastLoadedFirst()) {
      this.#owners.set(id, slot);
      try {
        return await slot.open(request);
      } catch (error) {
        this.#owners.delete(id);
        // The ports are divided, so another thread may still have some.
        if (!isNoPorts(error)) throw error;
        refusal = error;
      }
    }
    throw refusal ?? new MediaError('STOPPED', 'no media thread is running');
  }

  async change(change: CaptureChange): Promise<OpenedCapture> {
    return this.#owner(change.id).change(change);
  }

  async succeed(id: string, next: CaptureRequest): Promise<OpenedCapture> {
    if (this.#owners.has(next.id) || this.#lost.has(next.id))
      throw new MediaError('BAD_REQUEST', `capture ${next.id} is open`);
    const slot = this.#owner(id);
    this.#owners.set(next.id, slot);
    try {
      return await slot.succeed(id, next);
    } catch (error) {
      this.#owners.delete(next.id);
      throw error;
    }
  }

  async close(id: string, at: number, cut = false): Promise<CaptureResult> {
    if (this.#lost.delete(id))
      throw new MediaError('STOPPED', `the media thread of capture ${id} ended; its file waits for recovery`);
    const slot = this.#owner(id);
    try {
      return await slot.close(id, at, cut);
    } finally {
      this.#owners.delete(id);
      // When the thread died during this very call, the caller knows already.
      this.#lost.delete(id);
    }
  }

  async totals(): Promise<ThreadTotals> {
    const all = await Promise.all(this.#slots.map((slot) => slot.totals()));
    return all.reduce(addTotals);
  }

  async diskWait(): Promise<number> {
    return Math.max(...(await Promise.all(this.#slots.map((slot) => slot.diskWait()))));
  }

  async silence(id: string): Promise<number> {
    return this.#owner(id).silence(id);
  }

  onFailure(listener: (id: string, error: Error) => void): void {
    this.#failureListeners.push(listener);
  }

  onKey(listener: (id: string, key: PressedKey) => void): void {
    this.#keyListeners.push(listener);
  }

  onSegment(listener: (id: string, segment: Segment) => void): void {
    this.#segmentListeners.push(listener);
  }

  stop(): Promise<void> {
    this.#stopping ??= Promise.all(this.#slots.map((slot) => slot.stop())).then(() => undefined);
    return this.#stopping;
  }

  #leastLoadedFirst(): ThreadSlot[] {
    return this.#slots.filter((slot) => slot.running).sort((a, b) => a.load - b.load);
  }

  #owner(id: string): ThreadSlot {
    const slot = this.#owners.get(id);
    if (slot !== undefined) return slot;
    if (this.#lost.has(id)) throw new MediaError('STOPPED', `the media thread of capture ${id} ended`);
    throw new MediaError('BAD_REQUEST', `no capture ${id}`);
  }

  #lose(id: string, error: MediaError): void {
    this.#owners.delete(id);
    this.#lost.add(id);
    this.#fail(id, error);
  }

  #fail(id: string, error: MediaError): void {
    for (const listener of this.#failureListeners) listener(id, error);
  }
}

const isNoPorts = (error: unknown): error is MediaError =>
  error instanceof MediaError && error.code === 'NO_PORTS';

/** What a media thread makes and forgets lives in so much memory, which then stays in the caches; Node's default is 48 MB. */
const YOUNG_MEGABYTES = 6;

/** In the build this file and the thread's are JavaScript, with a Node that takes types away they are TypeScript. */
function spawnMediaThread(data: ThreadData): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./media-thread.${extension}`, import.meta.url), {
    workerData: data,
    name: 'media',
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
  });
}
