import type { LogStore, RecordingRow, SealFiles } from './ports.ts';

export interface SpoolKeepDeps {
  readonly store: Pick<LogStore, 'recording' | 'deliveries' | 'files' | 'write'>;
  readonly files: Pick<SealFiles, 'discard'> & {
    /** Recordings that have a folder in the spool. */
    list(): Promise<readonly string[]>;
    freeBytes(): number;
    /** 0 to 1. */
    fullness(): number;
  };
  /** Milliseconds that files stay after the last required copy was proved. */
  readonly keep: number;
  readonly now: () => number;
}

interface Kept {
  /** When the last copy was proved, epoch milliseconds. */
  readonly since: number;
  readonly bytes: number;
}

/** From here on operators are alarmed, so what has its copies elsewhere makes room first. */
const PRESSED = 0.8;
/** Octets made room for in one go where nothing at all is free, and so nothing says how big the disk is. */
const AT_A_TIME = 500_000_000;

/**
 * The files of delivered recordings in the spool: they stay for a while, to be played from here without asking an archive, and go when their
 * time is over, or earlier, oldest first, when the disk fills. What is not delivered everywhere is never touched.
 */
export class SpoolKeep {
  readonly #deps: SpoolKeepDeps;
  readonly #kept = new Map<string, Kept>();

  constructor(deps: SpoolKeepDeps) {
    this.#deps = deps;
  }

  /** How many recordings are kept although they are delivered. */
  get size(): number {
    return this.#kept.size;
  }

  /** All required copies of a recording are proved. */
  async release(recording: string): Promise<void> {
    const { files, keep, now } = this.#deps;
    if (keep === 0) await files.discard(recording);
    else this.#kept.set(recording, { since: now(), bytes: await this.#bytesOf(recording) });
  }

  /**
   * Takes up what an earlier process kept, and what a crash left half finished: delivered without the state, or deleted everywhere
   * but here. Rejects with StoreError while the database is away.
   */
  async recall(signal: AbortSignal): Promise<void> {
    const { store, files } = this.#deps;
    for (const id of await files.list()) {
      if (signal.aborted) return;
      if (this.#kept.has(id)) continue;
      const row = await store.recording(id);
      if (row?.state === 'expired') await files.discard(id);
      else if (row !== undefined) await this.#recallOne(row);
    }
  }

  async #recallOne({ id, state }: RecordingRow): Promise<void> {
    if (state !== 'sealed' && state !== 'delivered') return;
    const { store } = this.#deps;
    const deliveries = await store.deliveries(id);
    if (deliveries.length === 0 || deliveries.some((each) => each.state !== 'delivered')) return;
    if (state === 'sealed') await store.write((log) => log.setState(id, 'delivered'));
    const since = Math.max(...deliveries.map(({ updatedAt }) => updatedAt));
    this.#kept.set(id, { since, bytes: await this.#bytesOf(id) });
  }

  /** Removes what is due, and as much more as a full disk demands. */
  async sweep(): Promise<void> {
    const { files, keep, now } = this.#deps;
    let wanted = this.#wanted();
    for (const [id, { since, bytes }] of [...this.#kept].sort(([, a], [, b]) => a.since - b.since)) {
      // Also with a clock that was set back.
      const age = Math.max(0, now() - since);
      if (age < keep && wanted <= 0) return;
      await files.discard(id);
      this.#kept.delete(id);
      wanted -= bytes;
    }
  }

  /** Octets that have to go for the disk to be below the first alarm. */
  #wanted(): number {
    const { files } = this.#deps;
    const fullness = files.fullness();
    if (fullness < PRESSED) return 0;
    return fullness >= 1 ? AT_A_TIME : (fullness - PRESSED) * (files.freeBytes() / (1 - fullness));
  }

  async #bytesOf(recording: string): Promise<number> {
    const files = await this.#deps.store.files(recording);
    return files.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
