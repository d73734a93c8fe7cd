import { performance } from 'node:perf_hooks';
import { getSystemErrorName } from 'node:util';
import { Worker } from 'node:worker_threads';
import { WriterQueue } from './writer-queue.ts';

/** A write that nobody has begun for so long, in ms, is done by somebody else: the thread is held up by a disk that may be another. */
const PATIENCE = 250;

/** Its needs are small and constant. */
const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 };

/** Ends a write; `refused`: nobody did it, nor will. */
export type Written = (outcome: NodeJS.ErrnoException | 'refused' | null) => void;

interface UnderWay {
  readonly place: number;
  /** Milliseconds of the clock that only goes forward. */
  readonly since: number;
  readonly written: Written;
}

/** What a thread is there for. */
interface Trade {
  /** The system call that its errors name. */
  readonly call: string;
  /** How long, in ms, something waits for it before somebody else does it. */
  readonly patience: number;
}

/**
 * Has writes done by a thread that does nothing else. One bell a tick wakes it, and what it has done is looked at when it suits, so
 * that a write costs the thread that receives next to nothing; through the pool of Node each would wake both sides. Another such thread
 * brings files to the disk: what it is given with a file are the names of folders (sync-thread.ts).
 */
export class Writer {
  readonly #queue = new WriterQueue();
  readonly #free = Array.from({ length: this.#queue.places }, (_none, place) => place);
  /** In the order in which they were published. */
  #underWay: UnderWay[] = [];
  readonly #worker: Worker;
  readonly #trade: Trade;
  #isRinging = false;
  /** The last of those under way that somebody waits for: when it is over, so are those before it. */
  #expected: UnderWay | undefined;
  #timer: NodeJS.Timeout | undefined;
  #gone = false;

  /** `entry`: where the thread begins. */
  constructor(entry: URL, trade: Trade = { call: 'write', patience: PATIENCE }) {
    this.#trade = trade;
    this.#worker = new Worker(entry, {
      name: trade.call,
      workerData: this.#queue.memory,
      resourceLimits: LIMITS,
    });
    this.#worker.unref();
    this.#worker.on('message', () => {
      this.collect();
    });
    // What it fails with says its exit, too.
    this.#worker.on('error', () => undefined);
    this.#worker.on('exit', () => {
      this.#end();
    });
  }

  /** Milliseconds for which the oldest write has been under way; 0 when there is none. */
  get longest(): number {
    const [oldest] = this.#underWay;
    return oldest === undefined ? 0 : performance.now() - oldest.since;
  }

  /** No place is free; those that are taken are written as fast as the disk takes them. */
  isFull(): boolean {
    if (this.#free.length === 0) this.collect();
    return !this.#gone && this.#free.length === 0 && this.longest < this.#trade.patience;
  }

  /** Copies octets to a place, which is the caller's until `giveBack`; undefined where there is none. */
  take(octets: Uint8Array, length: number): number | undefined {
    if (this.#gone || !this.#queue.fits(length)) return undefined;
    if (this.#free.length === 0) this.collect();
    const place = this.#free.pop();
    if (place !== undefined) this.#queue.octets(place, length).set(octets.subarray(0, length));
    return place;
  }

  /** The first octets of a place. */
  octets(place: number, length: number): Buffer {
    return this.#queue.octets(place, length);
  }

  giveBack(place: number): void {
    this.#free.push(place);
  }

  /** Has the first `length` octets of a place written; `written` is called later. */
  write(place: number, length: number, to: { fd: number; position: number }, written: Written): void {
    this.#queue.publish(place, to.fd, length, to.position);
    this.#underWay.push({ place, since: performance.now(), written });
    if (this.#isRinging) return;
    this.#isRinging = true;
    queueMicrotask(() => {
      this.#isRinging = false;
      this.#queue.ring();
    });
  }

  /** Somebody waits: what is under way is collected as soon as it is done, and refused when its turn does not come. */
  expect(): void {
    this.#expected = this.#underWay.at(-1);
    this.#listen();
  }

  #listen(): void {
    this.#queue.expect();
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.collect();
    }, PATIENCE + 1);
  }

  /** Tells of the writes that are over, and refuses those that wait behind one that does not end. */
  collect(): void {
    const now = performance.now();
    if ((this.#underWay[0]?.since ?? now) < now - this.#trade.patience) this.#refuseUnclaimed();
    this.#tellOfEnded();
    if (this.#expected === undefined) return;
    if (this.#underWay.includes(this.#expected)) this.#listen();
    else this.#expected = undefined;
  }

  /** One thread writes, in the order of the list: what has ended is at its head. */
  #tellOfEnded(): void {
    const outcomes: number[] = [];
    for (const { place } of this.#underWay) {
      const outcome = this.#queue.outcome(place);
      if (outcome === undefined) break;
      outcomes.push(outcome);
    }
    // Off the list before anybody hears of it, who may publish the next one.
    this.#underWay.splice(0, outcomes.length).forEach(({ written }, index) => {
      written(errorOf(this.#trade.call, outcomes[index] ?? 0));
    });
  }

  /** Ends the thread, once it has done what it is doing. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#worker.terminate();
  }

  #refuseUnclaimed(): void {
    const unclaimed = new Set<number>();
    for (let place = this.#queue.claim(); place >= 0; place = this.#queue.claim()) unclaimed.add(place);
    for (const { written } of this.#takeOver(({ place }) => unclaimed.has(place))) written('refused');
  }

  /** Takes those off the list that are so. */
  #takeOver(is: (write: UnderWay) => boolean): readonly UnderWay[] {
    const over = this.#underWay.filter(is);
    if (over.length > 0) this.#underWay = this.#underWay.filter((write) => !over.includes(write));
    return over;
  }

  #end(): void {
    this.#gone = true;
    this.collect();
    for (const { written } of this.#takeOver(() => true)) written('refused');
  }
}

/** Beside this file: in the build both are JavaScript. */
export const startWriter = (): Writer => new Writer(new URL('./writer-thread.js', import.meta.url));

/** A thread that brings files to the disk. Nobody is in a hurry for that, and two that do it are no quicker than one. */
export const startSyncer = (entry = new URL('./sync-thread.js', import.meta.url)): Writer =>
  new Writer(entry, { call: 'fdatasync', patience: Infinity });

function errorOf(call: string, errno: number): NodeJS.ErrnoException | null {
  if (errno === 0) return null;
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${code}: ${call}`), { code, errno, syscall: call });
}
