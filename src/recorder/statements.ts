import type { RecorderEvent } from './events.ts';
import type { EventJournal } from './ports.ts';

export interface StatementDeps {
  readonly journal: EventJournal;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;
}

/** Milliseconds between tries while the journal refuses. */
const RETRY = 1000;
/** Events kept while the journal refuses; calls are turned away then, so only those already running can add any. */
const MOST = 50_000;

/**
 * States events in the journal, in order, and again when the disk refused them: a full disk must not make the end of a
 * recording vanish. What is still not stated when the process ends is found out by the next start.
 */
export class Statements {
  readonly #deps: StatementDeps;
  #refused: RecorderEvent[] = [];
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(deps: StatementDeps) {
    this.#deps = deps;
  }

  /** Resolves with true when the event is on disk, with false when it has to wait for the disk. Never rejects. */
  async state(event: RecorderEvent): Promise<boolean> {
    if (this.#refused.length > 0) return this.#keep(event);
    try {
      await this.#deps.journal.append(event);
      return true;
    } catch (error) {
      this.#deps.log('error', 'an event could not be journalled and is kept in memory', {
        event: event.type,
        error: String(error),
      });
      return this.#keep(event);
    }
  }

  /** Tries once more, now. Resolves with true when nothing waits any more. */
  async retry(): Promise<boolean> {
    this.#turn = this.#turn.then(() => this.#drain());
    await this.#turn;
    return this.#refused.length === 0;
  }

  #keep(event: RecorderEvent): false {
    if (this.#refused.length < MOST) this.#refused.push(event);
    this.#timer ??= setInterval(() => void this.retry(), RETRY).unref();
    return false;
  }

  async #drain(): Promise<void> {
    for (let [event] = this.#refused; event !== undefined; [event] = this.#refused) {
      try {
        await this.#deps.journal.append(event);
      } catch {
        return;
      }
      this.#refused.shift();
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
