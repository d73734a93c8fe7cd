import { entryHash, formatEntry, type EntryBody } from '../evidence/entry.ts';
import { appendLeaf, leafHash } from '../evidence/merkle.ts';
import { JobError } from './job-error.ts';
import type { ChainHead, EntryRow } from './ports.ts';

/** State of the machine's clock as every entry states it (evidence.md 1.4). */
export interface ClockReading {
  /** ISO 8601 with milliseconds and Z. */
  readonly time: string;
  /** Boot id prefix and milliseconds since boot. */
  readonly mono: string;
  /** `synced +0.4ms` or `unsynced`. */
  readonly clock: string;
}

const NO_PREVIOUS = '0'.repeat(64);

/** The right to append: one holder at a time. `prepare` may be called several times before `commit`. */
export interface ChainTurn {
  /** The head after everything prepared in this turn. */
  readonly head: ChainHead;
  /** The clock at the beginning of the turn; every entry of the turn reads it anew. */
  readonly reading: ClockReading;
  /** Puts one entry behind the head. It counts once the transaction that stores it has succeeded and `commit` was called. */
  prepare(body: EntryBody, recording?: string): { readonly entry: EntryRow; readonly headAfter: ChainHead };
  /** Names the newest sealed recording, for `Previous-…` of the next. */
  setLastRecording(last: NonNullable<ChainHead['lastRecording']>): ChainHead;
  /** The database has it: later turns build on it. */
  commit(): void;
}

/**
 * The only place that numbers entries of the evidence log. Turns are serialised in this process; UNIQUE(origin, index) and
 * UNIQUE(origin, prev) in the database make a second process fail (evidence.md 1.7). After a turn that failed, the next one
 * first asks the database where the chain really stands: a transaction may have succeeded although its answer was lost.
 */
export class Chain {
  readonly #options: ChainOptions;
  #head: ChainHead;
  #unsure = false;
  #ended = false;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(head: ChainHead, options: ChainOptions) {
    this.#head = head;
    this.#options = options;
  }

  /** The committed head. */
  get head(): ChainHead {
    return this.#head;
  }

  get origin(): string {
    return this.#head.origin;
  }

  /** The newest entry is the last one of this process: nobody gets a turn any more, not even who waits for one. */
  end(): void {
    this.#ended = true;
  }

  /**
   * Runs `work` when everybody before is through. What it prepared but did not commit is forgotten. Rejects with JobError STOPPING behind
   * the end; what the log lacks then is for the next start.
   */
  exclusively<T>(work: (turn: ChainTurn) => Promise<T>): Promise<T> {
    const run = this.#tail.then(() => this.#alone(work));
    this.#tail = run.catch(() => undefined);
    return run;
  }

  async #alone<T>(work: (turn: ChainTurn) => Promise<T>): Promise<T> {
    if (this.#ended) throw new JobError('STOPPING', 'the evidence log is closed');
    if (this.#unsure) this.#head = await this.#options.resume();
    this.#unsure = true;
    const result = await work(this.#turn());
    this.#unsure = false;
    return result;
  }

  #turn(): ChainTurn {
    let head = this.#head;
    return {
      get head() {
        return head;
      },
      reading: this.#options.clock(),
      prepare: (body, recording) => {
        const { entry, headAfter } = this.#entryAfter(head, body);
        head = headAfter;
        return { entry: recording === undefined ? entry : { recording, ...entry }, headAfter };
      },
      setLastRecording: (lastRecording) => {
        head = { ...head, lastRecording };
        return head;
      },
      commit: () => {
        this.#head = head;
      },
    };
  }

  #entryAfter(head: ChainHead, body: EntryBody): { entry: EntryRow; headAfter: ChainHead } {
    const { origin, size: index, prev } = head;
    const bytes = formatEntry(
      { origin, index, prev, ...this.#options.clock(), key: this.#options.key },
      body,
    );
    const hash = entryHash(bytes);
    return {
      entry: { origin, index, prev, hash, type: body.type, bytes },
      headAfter: {
        ...head,
        size: index + 1,
        prev: hash,
        frontier: appendLeaf(head.frontier, index, leafHash(bytes)),
      },
    };
  }
}

export interface ChainOptions {
  /** SPKI SHA-256 of the signing key, hex; every entry names it. */
  readonly key: string;
  readonly clock: () => ClockReading;
  /** Returns the head as the database has it. */
  readonly resume: () => Promise<ChainHead>;
}

/** The head of a log that has no entry yet. */
export const emptyHead = (origin: string): ChainHead => ({
  origin,
  size: 0,
  prev: NO_PREVIOUS,
  frontier: [],
});
