import { platform, setPriority } from 'node:os';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { CaptureEngine } from './capture-engine.ts';
import { Outbox } from './outbox.ts';
import { PortPool } from './port-pool.ts';
import { type OpenedReceiver, openReceiver } from './receiver/open-receiver.ts';
import { OpenSockets } from './receiver/open-sockets.ts';
import { loadLibc } from './receiver/libc.ts';
import { SLICE_MS } from './receiver/sweep-wheel.ts';
import { threadRings } from './ring-store.ts';
import { ThreadRest } from './thread-rest.ts';
import { threadCpuSeconds } from './thread-cpu.ts';
import { WriteBehind } from './write-behind.ts';
import { startSyncer, startWriter } from './writer.ts';
import {
  type Answer,
  type FromThread,
  type ThreadCalls,
  type ThreadData,
  toPlainError,
  type ToThread,
  type Verb,
} from './thread-messages.ts';

/** Above ordinary work, so that SIP, jobs and pages cannot make the kernel's buffers overflow. */
const PRIORITY = -8;
/** A tick that fails fails 50 times a second; one line in this time is enough. */
const TICK_LOG_MS = 10_000;

type Handlers = { [V in Verb]: (argument: Parameters<ThreadCalls[V]>[0]) => Promise<Answer<V>> };

/** One media thread: a receiver and a capture engine on one timer, driven by messages (thread-messages.ts). */
class MediaThread {
  readonly #port: MessagePort;
  readonly #outbox: Outbox<FromThread>;
  readonly #receiver: OpenedReceiver;
  readonly #disk: WriteBehind;
  readonly #engine: CaptureEngine;
  readonly #rest: ThreadRest;
  readonly #handlers: Handlers;
  #timer: NodeJS.Timeout | undefined;
  #tickLoggedAt = 0;

  constructor(port: MessagePort, data: ThreadData) {
    this.#port = port;
    this.#outbox = new Outbox((messages) => {
      port.postMessage(messages);
    });
    // Not performance.now(): recordings live on the time of day, as the kernel's arrival times do.
    const now = Date.now;
    const log = (line: string): void => {
      this.#post({ type: 'log', line });
    };
    const openSockets = new OpenSockets(data.openSockets);
    const ports = new PortPool(data.ports, now);
    for (const [used, at] of data.used) ports.rest(used, at);
    const disk = new WriteBehind(startWriter(), startSyncer());
    this.#disk = disk;
    discardRings();
    this.#receiver = openReceiver(data.receiver, { now, log, ownTimer: false, openSockets });
    this.#rest = new ThreadRest(data.bell, () => this.#receiver.waking);
    this.#engine = new CaptureEngine({
      receiver: this.#receiver,
      ports,
      now,
      fs: disk,
      log,
      dtls: data.dtls,
      ...(data.rhythm && { rhythm: data.rhythm }),
    });
    this.#handlers = {
      open: (request) => this.#engine.open(request),
      change: (change) => this.#engine.change(change),
      succeed: ({ id, next }) => this.#engine.succeed(id, next),
      close: ({ id, at, cut }) => this.#engine.close(id, at, cut),
      totals: async () => ({
        ...(await this.#engine.totals()),
        ...this.#receiver.faults(),
        diskWait: disk.waiting,
        cpuSeconds: threadCpuSeconds(),
      }),
      diskWait: () => Promise.resolve(disk.waiting),
      silence: (id) => this.#engine.silence(id),
      stop: () => this.#stop(),
    };
  }

  start(): void {
    raisePriority();
    this.#engine.onFailure((capture, error) => {
      this.#post({ type: 'failure', capture, error: toPlainError(error) });
    });
    this.#engine.onKey((capture, key) => {
      this.#post({ type: 'key', capture, key });
    });
    this.#engine.onSegment((capture, segment) => {
      this.#post({ type: 'segment', capture, segment });
    });
    this.#port.on('message', (messages: readonly ToThread[]) => {
      for (const message of messages) void this.#answer(message);
    });
    this.#timer = setInterval(() => {
      this.#tick();
    }, SLICE_MS);
    this.#post({ type: 'ready', receiver: this.#receiver.kind });
  }

  async #answer(message: ToThread): Promise<void> {
    const { number } = message;
    try {
      // The union of verbs keeps argument and handler together; the compiler cannot follow it through the index.
      const handler = this.#handlers[message.verb] as (argument: unknown) => Promise<Answer<Verb>>;
      this.#post({ type: 'answer', number, value: await handler(message.argument) });
    } catch (error) {
      this.#post({ type: 'refusal', number, error: toPlainError(error) });
    }
  }

  /** A fault in one turn must not end the recordings of all. */
  #tick(): void {
    try {
      this.#disk.collect();
      this.#receiver.sweep();
      this.#engine.tick(Date.now());
      this.#rest.begin();
    } catch (error) {
      if (Date.now() < this.#tickLoggedAt + TICK_LOG_MS) return;
      this.#tickLoggedAt = Date.now();
      this.#post({ type: 'log', line: `media thread: ${toPlainError(error).detail}` });
    }
  }

  async #stop(): Promise<undefined> {
    await this.#engine.stop();
    clearInterval(this.#timer);
    this.#receiver.stop();
    return undefined;
  }

  #post(message: FromThread): void {
    this.#outbox.add(message);
  }
}

/** Without the C library the rings keep the memory that they ever needed. */
function discardRings(): void {
  try {
    const libc = loadLibc();
    threadRings.discardBy((octets) => {
      libc.discard(octets);
    });
  } catch {
    // It works without.
  }
}

/** On Linux a priority belongs to a thread, and 0 means the calling one; elsewhere it would be the whole process. */
function raisePriority(): void {
  if (platform() !== 'linux') return;
  try {
    setPriority(0, PRIORITY);
  } catch {
    // Needs CAP_SYS_NICE; without it the thread runs like the others.
  }
}

if (parentPort === null) throw new Error('media-thread is the entry of a worker thread');
new MediaThread(parentPort, workerData as ThreadData).start();
