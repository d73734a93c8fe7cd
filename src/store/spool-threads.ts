import { Worker } from 'node:worker_threads';
import type { FileDigest } from '../jobs/ports.ts';
import { carryOutOrder, type SpoolOrder } from './spool-work.ts';
import { StoreError } from './store-error.ts';

export interface SpoolRequest {
  readonly id: number;
  readonly order: SpoolOrder;
}

/** `code` where it failed: that of a StoreError or of the system, or ''. */
export type SpoolAnswer =
  | { readonly id: number; readonly value: FileDigest | undefined }
  | { readonly id: number; readonly code: string; readonly reason: string };

interface Waiting {
  readonly resolve: (value: FileDigest | undefined) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiting>;
  /** Set while it has nothing to do. */
  rest?: NodeJS.Timeout;
}

/** In the build this file and the thread's are JavaScript, with a Node that takes types away they are TypeScript. */
const defaultEntry = (): URL =>
  new URL(`./spool-thread.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);

/** Their needs are small; Node's default is 48 MB of young objects. */
const LIMITS = { maxYoungGenerationSizeMb: 2 };

/** A thread that has had nothing to do for so long, in ms, ends, but for the last one: each takes some 9 MB. */
const REST = 10_000;

/**
 * Threads that work on the files of the spool, some at a time since each waits for the disk. An order is one message there and one back, however
 * many calls into the file system it takes; through the pool of Node each of those would wake both sides, and keep the database and the signatures
 * waiting behind a disk (docs/decisions/028).
 */
export class SpoolThreads {
  readonly #most: number;
  readonly #entry: URL;
  readonly #restMs: number;
  readonly #threads: Thread[] = [];
  #last = 0;
  #closed = false;

  /**
   * `most`: 0 has the orders carried out by the caller's own thread, which then waits for the disk. `entry`: where a thread begins. `restMs`: how
   * long one that has nothing to do stays.
   */
  constructor(most: number, entry = defaultEntry(), restMs = REST) {
    this.#most = most;
    this.#entry = entry;
    this.#restMs = restMs;
  }

  /** How many there are at the moment. */
  get running(): number {
    return this.#threads.length;
  }

  /** Rejects as `carryOutOrder` throws, and with StoreError CLOSED. */
  async order(order: SpoolOrder): Promise<FileDigest | undefined> {
    if (this.#closed) throw new StoreError('CLOSED', 'the spool is closed');
    if (this.#most === 0) return carryOutOrder(order);
    const { worker, waiting, rest } = this.#leastBusy();
    clearTimeout(rest);
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      // Who waits for a file keeps the process running; a thread without work does not.
      if (waiting.size === 0) worker.ref();
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, order } satisfies SpoolRequest);
    });
  }

  /** Ends the threads; what they were still asked for is refused. May be called twice. */
  close(): void {
    this.#closed = true;
    for (const { worker } of this.#threads) void worker.terminate();
  }

  #leastBusy(): Thread {
    const [first, ...others] = this.#threads;
    let best = first;
    for (const each of others) if (each.waiting.size < (best?.waiting.size ?? 0)) best = each;
    if (best !== undefined && (best.waiting.size === 0 || this.#threads.length >= this.#most)) return best;
    return this.#start();
  }

  #start(): Thread {
    const worker = new Worker(this.#entry, { name: 'spool', resourceLimits: LIMITS });
    const thread: Thread = { worker, waiting: new Map() };
    this.#threads.push(thread);
    worker.unref();
    worker.on('message', (answer: SpoolAnswer) => {
      this.#hear(thread, answer);
    });
    // What it fails with says its exit, too.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      this.#forget(thread);
      for (const { reject } of thread.waiting.values())
        reject(new StoreError(this.#closed ? 'CLOSED' : 'DISK', 'a thread of the spool has ended'));
    });
    return thread;
  }

  #forget(thread: Thread): void {
    clearTimeout(thread.rest);
    const index = this.#threads.indexOf(thread);
    if (index >= 0) this.#threads.splice(index, 1);
  }

  /** Nothing more is asked of it, and there are others. */
  #dismiss(thread: Thread): void {
    if (this.#threads.length < 2) return;
    this.#forget(thread);
    void thread.worker.terminate();
  }

  #hear(thread: Thread, answer: SpoolAnswer): void {
    const { worker, waiting } = thread;
    const asker = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (waiting.size === 0) {
      worker.unref();
      thread.rest = setTimeout(() => {
        this.#dismiss(thread);
      }, this.#restMs).unref();
    }
    if ('reason' in answer) asker?.reject(errorOf(answer));
    else asker?.resolve(answer.value);
  }
}

/** An error cannot be sent with its code. */
const errorOf = ({ code, reason }: Extract<SpoolAnswer, { reason: string }>): Error =>
  code === 'DIFFERENT' || code === 'MISSING'
    ? new StoreError(code, reason)
    : Object.assign(new Error(code === '' ? reason : `${code}: ${reason}`), { code });
