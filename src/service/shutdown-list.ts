import type { Log } from '../log.ts';
import { inTime } from './in-time.ts';

/** Milliseconds one part may take to close; what hangs outside must not keep the others open. */
const PATIENCE = 5000;

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
        const closed = Promise.resolve(step.close());
        if (!(await inTime(closed, Date.now() + PATIENCE)))
          this.#log('error', `${step.name} did not close in time`);
      } catch (error) {
        this.#log('error', `${step.name} did not close in good order`, { error: String(error) });
      }
    }
  }
}
