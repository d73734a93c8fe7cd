import type { StoredBody } from '../evidence/entry-types.ts';
import type { EvidenceLog } from './evidence-log.ts';
import type { CopyRow } from './ports.ts';
import { isAway } from './shared-writes.ts';

/** Deliveries that share a turn of the chain and a transaction, at most. */
const MOST = 64;

/** A recording that is proved at a destination, not yet said so in the log. */
export interface ProvedDelivery {
  readonly recording: string;
  readonly destination: string;
  /** For people. */
  readonly location: string;
  readonly copies: readonly CopyRow[];
  /** The entry that states it. */
  readonly body: StoredBody;
}

interface Waiting {
  readonly proved: ProvedDelivery;
  readonly resolve: (complete: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * States deliveries in the log: entry, copies, step and the states of delivery and recording in one transaction, so that after a crash there is
 * none of them without the others. Those that come while the chain is busy share a turn and a transaction: making one durable costs far more
 * than what is in it. One that is in the log already is not stated again.
 */
export class DeliveryGroup {
  readonly #evidence: Pick<EvidenceLog, 'appendDecided'>;
  readonly #now: () => number;
  #waiting: Waiting[] = [];

  constructor(evidence: Pick<EvidenceLog, 'appendDecided'>, now: () => number) {
    this.#evidence = evidence;
    this.#now = now;
  }

  /** Resolves when it is in the log, with whether the recording now is where it has to be. Rejects as `EvidenceLog.append` does. */
  state(proved: ProvedDelivery): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ proved, resolve, reject });
      if (this.#waiting.length === 1) void this.#together();
    });
  }

  async #together(): Promise<void> {
    let sharing: readonly Waiting[] = [];
    try {
      await this.#write(() => {
        sharing = this.#waiting.splice(0, MOST);
        if (this.#waiting.length > 0) void this.#together();
        return sharing;
      });
    } catch (error) {
      // The chain could not even be asked where it stands: so it is for all who wait.
      if (sharing.length === 0) sharing = this.#waiting.splice(0);
      if (sharing.length > 1 && !isAway(error)) await this.#apart(sharing);
      else for (const { reject } of sharing) reject(error);
    }
  }

  /** What is wrong with one of them is not to keep the others out of the log. */
  async #apart(sharing: readonly Waiting[]): Promise<void> {
    for (const each of sharing) await this.#write(() => [each]).catch(each.reject);
  }

  /** `take` is called when it is their turn. */
  async #write(take: () => readonly Waiting[]): Promise<void> {
    let taken: readonly Waiting[] = [];
    let complete: ReadonlySet<string> = new Set();
    await this.#evidence.appendDecided(
      () => {
        taken = take();
      },
      async (log) => {
        const at = this.#now();
        const news = await log.putDelivered(
          taken.map(({ proved }) => proved),
          at,
        );
        const isNew = new Set(news.map(({ recording, destination }) => `${recording} ${destination}`));
        const fresh = taken.filter(({ proved }) => isNew.delete(`${proved.recording} ${proved.destination}`));
        await log.putCopies(fresh.flatMap(({ proved }) => proved.copies));
        for (const { proved } of fresh)
          await log.addStep({
            recording: proved.recording,
            at,
            step: 'upload',
            outcome: 'ok',
            detail: proved.destination,
          });
        complete = new Set(await log.completeDeliveries(taken.map(({ proved }) => proved.recording)));
        return fresh.map(({ proved }) => ({ body: proved.body, recording: proved.recording }));
      },
    );
    for (const { proved, resolve } of taken) resolve(complete.has(proved.recording));
  }
}
