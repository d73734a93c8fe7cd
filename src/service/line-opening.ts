import type { Log } from '../log.ts';
import { codeOf, reasonOf } from '../store/store-error.ts';
import type { ArchiveLine } from './archive-line.ts';
import { inTime } from './in-time.ts';
import type { KeysAtHand, OpenedKeys } from './keys-at-hand.ts';

export interface LineOpeningParts {
  /** Rejects with StoreError UNAVAILABLE while the database is away. */
  readonly migrate: () => Promise<void>;
  /** Rejects with JobError KEY_CHANGED for keys that are not those of the log. */
  readonly start: (signing: OpenedKeys) => Promise<ArchiveLine>;
  readonly keys: KeysAtHand;
  readonly log: Log;
}

/** Milliseconds the start waits for the database before it goes on without. */
const DATABASE_PATIENCE = 8000;
const DATABASE_RETRY = 2000;
/** Milliseconds between tries in the long run, where somebody must mend something. */
const LONGEST_RETRY = 60_000;

/**
 * Opens the archive line as soon as database and keys are there, however long that takes; what is recorded until then waits in the journal. That it
 * takes long is seen by whoever asks `databaseAnswers`.
 */
export class LineOpening {
  readonly #parts: LineOpeningParts;
  #line: ArchiveLine | undefined;
  #opened: Promise<void> = Promise.resolve();
  #ended = false;
  #answered = false;
  /** The start no longer waits: whatever goes wrong now is tried again. */
  #begun = false;
  #retryAfter = DATABASE_RETRY;

  constructor(parts: LineOpeningParts) {
    this.#parts = parts;
  }

  get line(): ArchiveLine | undefined {
    return this.#line;
  }

  databaseAnswers(): boolean {
    return this.#line?.databaseAnswers() ?? (this.#answered && this.#parts.keys.missing !== undefined);
  }

  /** Begins; resolves when it is open, or no longer worth waiting for. Rejects with what goes wrong meanwhile and is no absence. */
  async begin(): Promise<void> {
    const { keys, log } = this.#parts;
    this.#opened = this.#open();
    const noLonger = Promise.race([patience(), keys.whenMissing()]).then(() => {
      this.#begun = true;
    });
    await Promise.race([this.#opened, noLonger]);
    this.#begun = true;
    this.#opened.catch((error: unknown) => {
      log('error', 'the log cannot be opened', { error: String(error) });
    });
  }

  async close(): Promise<void> {
    this.#ended = true;
    // Waiting for a database that does not answer, or for keys, must not keep the rest from being closed.
    if (this.#parts.keys.missing === undefined)
      await inTime(
        this.#opened.catch(() => undefined),
        Date.now() + DATABASE_RETRY * 2,
      );
    await this.#line?.close();
  }

  async #open(): Promise<void> {
    while (!this.#ended && this.#line === undefined) await this.#try();
  }

  async #try(): Promise<void> {
    const { migrate, start, keys, log } = this.#parts;
    try {
      await migrate();
      this.#answered = true;
      const signing = await keys.whenOpened();
      if (!this.#ended) this.#line = await start(signing);
    } catch (error) {
      if (codeOf(error) === 'KEY_CHANGED') {
        keys.lose(reasonOf(error));
        return;
      }
      const isAway = codeOf(error) === 'UNAVAILABLE';
      if (!isAway && !this.#begun) throw error;
      const what = isAway ? 'the database does not answer' : 'the log cannot be opened';
      log('error', `${what}, calls are recorded and journalled`, { error: String(error) });
      await this.#pause(isAway);
    }
  }

  /** One that is away is asked often: it comes back by itself. */
  async #pause(isAway: boolean): Promise<void> {
    if (isAway) this.#retryAfter = DATABASE_RETRY;
    const until = Date.now() + this.#retryAfter;
    if (!isAway) this.#retryAfter = Math.min(this.#retryAfter * 2, LONGEST_RETRY);
    while (!this.#ended && Date.now() < until)
      await new Promise((resolve) => setTimeout(resolve, Math.min(DATABASE_RETRY, until - Date.now())));
  }
}

const patience = (): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, DATABASE_PATIENCE).unref());
