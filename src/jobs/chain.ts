import { entryHash, formatEntry, type EntryBody, type EntryHeader } from '../evidence/entry.ts';
import { appendLeaf, leafHash } from '../evidence/merkle.ts';
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
  /** Puts one entry behind the head. It counts once the transaction that stores it has succeeded and `commit` was called. */
  prepare(body: EntryBody, recording?: string): { readonly entry: EntryRow; readonly headAfter: ChainHead };
  /** Takes over an entry that was prepared before a crash, byte for byte. */
  adopt(headAfter: ChainHead): void;
  /** Names the newest sealed recording, for `Previous-…` of the next. */
  setLastRecording(last: NonNullable<ChainHead['lastRecording']>): ChainHead;
  /** The database has it: later turns build on it. */
  commit(): void;
}

/**
 * The only place that numbers entries of the evidence log. Turns are serialised in this process; UNIQUE(origin, index) and
 * UNIQUE(origin, prev) in the database make a second process fail (evidence.md 1.7).
 */
export class Chain {
  readonly #key: string;
  readonly #clock: () => ClockReading;
  #head: ChainHead;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: { readonly head: ChainHead; readonly key: string; readonly clock: () => ClockReading }) {
    this.#head = options.head;
    this.#key = options.key;
    this.#clock = options.clock;
  }

  /** The committed head. */
  get head(): ChainHead {
    return this.#head;
  }

  get origin(): string {
    return this.#head.origin;
  }

  /** Runs `work` when everybody before is through. What it prepared but did not commit is forgotten. */
  exclusively<T>(work: (turn: ChainTurn) => Promise<T>): Promise<T> {
    const run = this.#tail.then(() => work(this.#turn()));
    this.#tail = run.catch(() => undefined);
    return run;
  }

  #turn(): ChainTurn {
    let head = this.#head;
    const prepare = (body: EntryBody, recording?: string): { entry: EntryRow; headAfter: ChainHead } => {
      const header: EntryHeader = {
        origin: head.origin,
        index: head.size,
        prev: head.prev,
        ...this.#clock(),
        key: this.#key,
      };
      const bytes = formatEntry(header, body);
      const hash = entryHash(bytes);
      const { origin, index, prev } = header;
      const entry = { origin, index, prev, hash, type: body.type, bytes };
      head = { ...head, size: index + 1, prev: hash, frontier: appendLeaf(head.frontier, index, leafHash(bytes)) };
      return { entry: recording === undefined ? entry : { ...entry, recording }, headAfter: head };
    };
    return {
      get head() {
        return head;
      },
      prepare,
      adopt: (headAfter) => {
        head = headAfter;
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
}

/** The head of a log that has no entry yet. */
export const emptyHead = (origin: string): ChainHead => ({ origin, size: 0, prev: NO_PREVIOUS, frontier: [] });
