import { actorHash, caseHash } from '../evidence/actor-hash.ts';
import type { EntryBody } from '../evidence/entry.ts';
import type { Chain, ChainTurn } from './chain.ts';
import type { EntryRow, LogStore, LogWriter, StepRow } from './ports.ts';

export interface EvidenceLogDeps {
  readonly chain: Chain;
  readonly store: Pick<LogStore, 'write'>;
  /** Keeps names out of the log, see `actorHash`; at least 32 random octets. */
  readonly actorSecret: Uint8Array;
  readonly now: () => number;
}

/** What belongs to an entry in the same transaction. */
export interface AppendOptions {
  /** The recording it speaks of, so that it is found with it. */
  readonly recording?: string;
  /** A line for the recording's history. */
  readonly step?: Pick<StepRow, 'step' | 'outcome' | 'detail'>;
  /** Further changes: they happen exactly when the entry is written. May be called again after a failure. */
  readonly change?: (log: LogWriter) => Promise<void>;
}

/**
 * The one way for a job or the API to state something in the evidence log. Entries are written one after the other with all others of
 * this node; an entry that was resolved is in the database, numbered and chained, and leaves with the next checkpoint.
 */
export class EvidenceLog {
  readonly #deps: EvidenceLogDeps;

  constructor(deps: EvidenceLogDeps) {
    this.#deps = deps;
  }

  /**
   * Appends one entry. Rejects with StoreError UNAVAILABLE while the database is away, and with EvidenceError BAD_ENTRY for a value that
   * its line cannot hold; then nothing was written, neither the entry nor the changes.
   */
  async append(body: EntryBody, options: AppendOptions = {}): Promise<EntryRow> {
    return this.#deps.chain.exclusively((turn) => this.#write(turn, body, options));
  }

  /**
   * The same, unless it is done already: asked when nobody else can append any more, so that of two who state the same thing only the
   * first one does. Resolves with undefined then.
   */
  async appendOnce(
    body: EntryBody,
    options: AppendOptions & { readonly isDone: () => Promise<boolean> },
  ): Promise<EntryRow | undefined> {
    return this.#deps.chain.exclusively(async (turn) =>
      (await options.isDone()) ? undefined : this.#write(turn, body, options),
    );
  }

  /**
   * Appends what `decide` finds out to be said, inside the transaction that all of it happens in; there may be none. `begin` is called when nobody
   * else can append any more. After a failure nothing was written.
   */
  async appendDecided(
    begin: () => void,
    decide: (log: LogWriter) => Promise<readonly { readonly body: EntryBody; readonly recording: string }[]>,
  ): Promise<void> {
    await this.#deps.chain.exclusively(async (turn) => {
      begin();
      await this.#deps.store.write(async (log) => {
        for (const { body, recording } of await decide(log)) {
          const { entry, headAfter } = turn.prepare(body, recording);
          await log.appendEntry(entry, headAfter);
        }
      });
      turn.commit();
    });
  }

  async #write(turn: ChainTurn, body: EntryBody, options: AppendOptions): Promise<EntryRow> {
    const { store, now } = this.#deps;
    const { recording, step, change } = options;
    const { entry, headAfter } = turn.prepare(body, recording);
    await store.write(async (log) => {
      await log.appendEntry(entry, headAfter);
      if (step !== undefined)
        await log.addStep({ ...step, at: now(), ...(recording === undefined ? {} : { recording }) });
      await change?.(log);
    });
    turn.commit();
    return entry;
  }

  /** How a user appears in entries: a hash that cannot be guessed from the name alone. */
  actor(user: string): string {
    return actorHash(this.#deps.actorSecret, user);
  }

  /** How the reference of a case appears in entries, likewise. */
  case(reference: string): string {
    return caseHash(this.#deps.actorSecret, reference);
  }
}
