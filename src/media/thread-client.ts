import type { Worker } from 'node:worker_threads';
import type { PressedKey, Segment } from './capture.ts';
import { MediaError } from './media-error.ts';
import { Outbox } from './outbox.ts';
import type { Receiver } from './receiver/receiver.ts';
import { ring } from './thread-rest.ts';
import {
  type Answer,
  type Argument,
  fromPlainError,
  type FromThread,
  type ToThread,
  type Verb,
} from './thread-messages.ts';

/** What a thread tells without being asked. */
export interface ThreadEvents {
  failure(capture: string, error: MediaError): void;
  key(capture: string, key: PressedKey): void;
  segment(capture: string, segment: Segment): void;
  log(line: string): void;
  /** The thread is gone, told to or not. Called once, after every pending call was rejected. */
  gone(error: MediaError): void;
}

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: MediaError) => void;
}

/** The main thread's end of one media thread: calls with answers, and one report when the thread ends. */
export class ThreadClient {
  /** Resolves with the kind of receiver in use; rejects with MediaError when the thread ends before. */
  readonly ready: Promise<Receiver['kind']>;
  readonly #worker: Worker;
  readonly #bell: Int32Array;
  readonly #events: ThreadEvents;
  readonly #pending = new Map<number, Pending>();
  readonly #outbox = new Outbox<ToThread>((messages) => {
    this.#send(messages);
  });
  readonly #ready: PromiseWithResolversOf<Receiver['kind']>;
  #number = 0;
  #lastError = 'no reason given';
  #gone: MediaError | undefined;

  /** `bell`: the one that the thread was started with. */
  constructor(worker: Worker, bell: Int32Array, events: ThreadEvents) {
    this.#worker = worker;
    this.#bell = bell;
    this.#events = events;
    this.#ready = withResolvers();
    this.ready = this.#ready.promise;
    // Whoever waits sees the rejection; a restart that nobody waits for must not be an unhandled one.
    this.ready.catch(() => undefined);
    worker.on('message', (messages: readonly FromThread[]) => {
      for (const message of messages) this.#take(message);
    });
    worker.on('error', (error: unknown) => {
      this.#lastError = (error as Error | null)?.message ?? String(error);
    });
    worker.on('exit', () => {
      this.#end();
    });
  }

  /** Rejects with the thread's MediaError, or STOPPED when the thread ends or has ended. */
  call<V extends Verb>(verb: V, argument: Argument<V>): Promise<Answer<V>> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    this.#number += 1;
    const number = this.#number;
    return new Promise<Answer<V>>((resolve, reject) => {
      this.#pending.set(number, { resolve, reject });
      // Verb and argument belong together; the compiler cannot follow that through the type parameter.
      this.#outbox.add({ number, verb, argument } as ToThread);
    });
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #send(messages: readonly ToThread[]): void {
    try {
      this.#worker.postMessage(messages);
      ring(this.#bell);
    } catch (error) {
      if (messages.length > 1) {
        for (const message of messages) this.#send([message]);
        return;
      }
      // What cannot be cloned cannot be a request.
      const refusal = `cannot be sent to a thread: ${String(error)}`;
      for (const { number } of messages)
        this.#settle(number)?.reject(new MediaError('BAD_REQUEST', refusal, { cause: error }));
    }
  }

  #take(message: FromThread): void {
    switch (message.type) {
      case 'ready':
        this.#ready.resolve(message.receiver);
        break;
      case 'answer':
        this.#settle(message.number)?.resolve(message.value as never);
        break;
      case 'refusal':
        this.#settle(message.number)?.reject(fromPlainError(message.error));
        break;
      case 'failure':
        this.#events.failure(message.capture, fromPlainError(message.error));
        break;
      case 'key':
        this.#events.key(message.capture, message.key);
        break;
      case 'segment':
        this.#events.segment(message.capture, message.segment);
        break;
      case 'log':
        this.#events.log(message.line);
        break;
      default:
        message satisfies never;
    }
  }

  #settle(number: number): Pending | undefined {
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    return pending;
  }

  #end(): void {
    const gone = new MediaError('STOPPED', `media thread ended: ${this.#lastError}`);
    this.#gone = gone;
    this.#ready.reject(gone);
    for (const pending of this.#pending.values()) pending.reject(gone);
    this.#pending.clear();
    this.#events.gone(gone);
  }
}

/** Promise.withResolvers of newer Node. */
interface PromiseWithResolversOf<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function withResolvers<T>(): PromiseWithResolversOf<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
