import type { Chain, ChainTurn } from './chain.ts';
import type { LogStore, Sealable, SealIntent } from './ports.ts';
import { SharedReads } from './shared-reads.ts';
import { isAway, SharedWrites } from './shared-writes.ts';

/** Seals that share a turn, at most: each takes a signature, and whoever else has an entry to write waits that long. */
const MOST = 16;

/** Decides every byte of one seal; called in the turn of the chain that its entry is written in. */
export type Decide = (turn: ChainTurn) => Promise<SealIntent>;

interface Waiting {
  readonly decide: Decide;
  readonly resolve: (intent: SealIntent) => void;
  readonly reject: (error: unknown) => void;
  /** It shares its turn with nobody, because a shared one failed. */
  readonly alone: boolean;
}

/**
 * Seals that come at the same time: those that wait for the chain are decided in one turn and stored in one transaction, and those whose
 * files are on disk are finished in one (docs/decisions/014). Two seals of one recording are one.
 */
export class SealGroup {
  readonly finishing: SharedWrites;
  /** What is to be sealed, as the log has it. */
  readonly sealable: SharedReads<Sealable>;
  readonly #chain: Chain;
  readonly #store: LogStore;
  readonly #running = new Map<string, Promise<boolean>>();
  #waiting: Waiting[] = [];

  constructor(chain: Chain, store: LogStore) {
    this.#chain = chain;
    this.#store = store;
    this.finishing = new SharedWrites(store);
    this.sealable = new SharedReads((ids) => store.sealable(ids));
  }

  /** Runs `work` unless the same recording is being sealed; then waits for that and resolves with false. */
  async once(recording: string, work: () => Promise<boolean>): Promise<boolean> {
    const running = this.#running.get(recording);
    if (running !== undefined) {
      await running;
      return false;
    }
    const mine = work().finally(() => this.#running.delete(recording));
    this.#running.set(recording, mine);
    return mine;
  }

  /** Gives `decide` its turn, and resolves with what it decided when intent and entry are in the log. */
  intend(decide: Decide): Promise<SealIntent> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ decide, resolve, reject, alone: false });
      if (this.#waiting.length === 1) this.#askForTurn();
    });
  }

  #askForTurn(): void {
    let begun = false;
    const turn = this.#chain.exclusively((own) => {
      begun = true;
      return this.#take(own);
    });
    // What goes wrong in a turn is told to those who share it; a chain that could not be asked where it stands, to all.
    turn.catch((error: unknown) => {
      if (!begun) for (const { reject } of this.#waiting.splice(0)) reject(error);
    });
  }

  async #take(turn: ChainTurn): Promise<void> {
    const sharing = this.#next();
    if (this.#waiting.length > 0) this.#askForTurn();
    const decided: { readonly seal: Waiting; readonly intent: SealIntent }[] = [];
    for (const seal of sharing)
      try {
        decided.push({ seal, intent: await seal.decide(turn) });
      } catch (error) {
        seal.reject(error);
      }
    if (decided.length === 0) return;
    try {
      await this.#store.write(async (log) => {
        for (const { intent } of decided) {
          await log.appendEntry(intent.entry, intent.headAfter);
          await log.putIntent(intent);
        }
      });
    } catch (error) {
      const seals = decided.map(({ seal }) => seal);
      if (seals.length > 1 && !isAway(error)) this.#separate(seals);
      else for (const { reject } of seals) reject(error);
      throw error;
    }
    turn.commit();
    for (const { seal, intent } of decided) seal.resolve(intent);
  }

  #next(): readonly Waiting[] {
    const shared = this.#waiting.findIndex(({ alone }) => alone);
    return this.#waiting.splice(0, shared === -1 ? MOST : Math.max(1, Math.min(shared, MOST)));
  }

  #separate(seals: readonly Waiting[]): void {
    if (this.#waiting.length === 0) this.#askForTurn();
    this.#waiting.push(...seals.map((seal) => ({ ...seal, alone: true })));
  }
}
