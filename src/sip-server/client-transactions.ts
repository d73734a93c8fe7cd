import { clientKey, type ClientTransaction } from './client-transaction.ts';
import type { Flow } from './flow.ts';

/** All client transactions alive. */
export class ClientTransactions {
  readonly #byKey = new Map<string, ClientTransaction>();
  readonly #byId = new Map<string, ClientTransaction>();

  get size(): number {
    return this.#byId.size;
  }

  add(transaction: ClientTransaction): void {
    this.#byKey.set(transaction.key, transaction);
    this.#byId.set(transaction.id, transaction);
  }

  remove(transaction: ClientTransaction): void {
    this.#byKey.delete(transaction.key);
    this.#byId.delete(transaction.id);
  }

  byId(id: string): ClientTransaction | undefined {
    return this.#byId.get(id);
  }

  /** RFC 3261 §17.1.3: branch of our Via and method of the CSeq. */
  find(branch: string, method: string): ClientTransaction | undefined {
    return this.#byKey.get(clientKey(branch, method));
  }

  /** Those that wait for an answer on this connection. */
  on(flow: Flow): ClientTransaction[] {
    return [...this.#byId.values()].filter((each) => each.flow === flow);
  }

  clear(): void {
    for (const transaction of this.#byId.values()) transaction.abandon();
    this.#byKey.clear();
    this.#byId.clear();
  }
}
