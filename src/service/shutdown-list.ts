import type { Log } from '../log.ts';

/** Who started must be closed, in reverse order, whatever the others do. The one place that knows the order. */
export class ShutdownList {
  readonly #log: Log;
  readonly #steps: { readonly name: string; readonly close: () => unknown }[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  add(name: string, close: () => unknown): void {
    this.#steps.push({ name, close });
  }

  /** Closes everything added so far; a second call does nothing more. Never rejects. */
  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.close();
      } catch (error) {
        this.#log('error', `${step.name} did not close in good order`, { error: String(error) });
      }
    }
  }
}
