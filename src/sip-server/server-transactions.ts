import { AgeList } from './age-list.ts';
import type { Application } from './application.ts';
import type { ServerTransaction } from './server-transaction.ts';

/** All server transactions alive, found by what the network sends and by what the application sends. */
export class ServerTransactions {
  readonly #byKey = new Map<string, ServerTransaction>();
  readonly #byId = new Map<string, ServerTransaction>();
  readonly #byMergeKey = new Map<string, ServerTransaction>();
  /** Those that have their final answer: of calls, and of everybody else, who go first. */
  readonly #ofCalls = new AgeList<ServerTransaction>();
  readonly #others = new AgeList<ServerTransaction>();
  readonly #mostFinished: number;

  /** `mostFinished`: so many that are only waiting for repetitions are remembered. */
  constructor(mostFinished: number) {
    this.#mostFinished = mostFinished;
  }

  /** How many have no final answer. */
  get pending(): number {
    return this.#byId.size - this.#ofCalls.size - this.#others.size;
  }

  get size(): number {
    return this.#byId.size;
  }

  add(transaction: ServerTransaction): void {
    this.#byKey.set(transaction.key, transaction);
    this.#byId.set(transaction.id, transaction);
    if (transaction.mergeKey !== undefined) this.#byMergeKey.set(transaction.mergeKey, transaction);
  }

  /** It has its final answer. For each that is too many one is forgotten, that had its own first: it is not known any more when it comes again. */
  finish(transaction: ServerTransaction): void {
    if (this.#byId.get(transaction.id) !== transaction) return;
    (transaction.isOfCall ? this.#ofCalls : this.#others).add(transaction);
    const oldest = this.#others.oldest ?? this.#ofCalls.oldest;
    if (this.#ofCalls.size + this.#others.size <= this.#mostFinished || oldest === undefined) return;
    oldest.abandon();
    this.remove(oldest);
  }

  remove(transaction: ServerTransaction): void {
    this.#ofCalls.remove(transaction);
    this.#others.remove(transaction);
    this.#byKey.delete(transaction.key);
    this.#byId.delete(transaction.id);
    if (transaction.mergeKey !== undefined) this.#byMergeKey.delete(transaction.mergeKey);
  }

  byKey(key: string): ServerTransaction | undefined {
    return this.#byKey.get(key);
  }

  byId(id: string): ServerTransaction | undefined {
    return this.#byId.get(id);
  }

  byMergeKey(key: string): ServerTransaction | undefined {
    return this.#byMergeKey.get(key);
  }

  /** The requests this application was asked and has not answered. */
  pendingOf(application: Application): ServerTransaction[] {
    return [...this.#byId.values()].filter(
      (each) => each.application === application && each.pending !== undefined,
    );
  }

  clear(): void {
    for (const transaction of this.#byId.values()) transaction.abandon();
    this.#byKey.clear();
    this.#byId.clear();
    this.#byMergeKey.clear();
    this.#ofCalls.clear();
    this.#others.clear();
  }
}
