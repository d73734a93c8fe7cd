import type { AlarmBell } from '../alarm.ts';
import type { Signer } from '../evidence/signature.ts';
import type { Destination } from '../jobs/destination.ts';
import { rootOf } from '../jobs/checkpoint.ts';
import { keyAfter } from '../jobs/run-log.ts';
import { nextEpoch } from '../evidence/origin.ts';
import { findEpoch, isKnown, type Epoch } from '../jobs/find-epoch.ts';
import type { LogStore } from '../jobs/ports.ts';
import { recallLog } from '../jobs/recall-log.ts';
import type { Log } from '../log.ts';

export interface EpochOptions {
  readonly store: LogStore;
  readonly signer: Signer;
  /** Whether the keys before are lost, and given up. */
  readonly keys: { isReset(): Promise<boolean> };
  /** The log's first origin. */
  readonly origin: string;
  readonly destinations: readonly Destination[];
  readonly localEvidence: Destination;
  readonly bell: AlarmBell;
  readonly log: Log;
}

const ROLLED_BACK = 'log-rolled-back';
const KEYS_RESET = 'keys-reset';
/** Milliseconds in which the lost end of a log must be read back; what is not is missing in the database alone. */
const RECALL_WITHIN = 120_000;

/**
 * Decides in which epoch the log goes on. When what left it is not what the database has, the next one begins, loudly: a backup was
 * restored, or somebody wrote the log anew. What the database lost of the log before is read back from where it was seen. Seals whose
 * entries are in the log before are finished, others begun again.
 */
export async function settleEpoch(options: EpochOptions): Promise<Epoch> {
  const { store, signer, origin, bell, log, localEvidence } = options;
  const destinations = [localEvidence, ...options.destinations];
  const epoch = await findEpoch(origin, { store, signer, destinations, log });
  if (epoch.predecessor === undefined && (await options.keys.isReset())) return afterReset(epoch, options);
  if (epoch.predecessor === undefined) return epoch;
  const { size, origin: before } = epoch.predecessor;
  bell.raise({
    code: ROLLED_BACK,
    severity: 'critical',
    text: `the database does not have the evidence log that was exported (restored from a backup?); the log goes on as ${epoch.origin}`,
    fields: { predecessor: before, size },
  });
  const recalled = await recall(epoch, options);
  await forgetUnlogged(store);
  // What was read back may be news to the other destinations.
  return recalled > 0 ? { ...epoch, toFinish: before } : epoch;
}

async function recall({ predecessor, source }: Epoch, { store, log }: EpochOptions): Promise<number> {
  if (predecessor === undefined || source === undefined) return 0;
  const { origin } = predecessor;
  try {
    const entries = await recallLog(origin, source, store, AbortSignal.timeout(RECALL_WITHIN));
    log('warn', 'entries of the log that the database had lost were read back', {
      ...{ origin, from: source.name, entries },
    });
    return entries;
  } catch (error) {
    if ((error as { readonly code?: string }).code === 'UNAVAILABLE') throw error;
    log('error', 'what the database lost of the log could not be read back', { error: String(error) });
    return 0;
  }
}

/** The log cannot be continued with other keys (evidence.md 1.6): the next epoch refers to where it ended. */
async function afterReset(epoch: Epoch, { store, signer, bell }: EpochOptions): Promise<Epoch> {
  const head = await store.head(epoch.origin);
  const newest = head === undefined ? undefined : (await store.entries(epoch.origin, head.size - 1, 1))[0];
  if (head === undefined || newest === undefined || keyAfter(newest.bytes) === signer.key) return epoch;
  await forgetUnlogged(store);
  const origin = nextEpoch(epoch.origin);
  bell.raise({
    code: KEYS_RESET,
    severity: 'critical',
    text: `the signing keys were given up; the log goes on as ${origin} under a new certificate, which must be registered again`,
    fields: { predecessor: epoch.origin, size: head.size },
  });
  const last = (await store.newestCheckpoint(epoch.origin)) ?? { size: head.size, root: rootOf(head) };
  const predecessor = { origin: epoch.origin, size: last.size, root: last.root };
  return { ...epoch, origin, predecessor, toFinish: epoch.origin };
}

/** Intents without an entry, as an earlier version stored them: what they sealed is sealed in the new epoch. */
async function forgetUnlogged(store: LogStore): Promise<void> {
  for (const { recording, entry } of await store.intents())
    if (((await store.head(entry.origin))?.size ?? 0) <= entry.index)
      await store.write((log) => log.dropIntent(recording));
}

/** Lets nothing leave to a destination that could not be asked at the start, until it was found to know no more than we do. */
export class ExportGate {
  readonly #unchecked: Set<string>;
  readonly #options: Pick<EpochOptions, 'store' | 'signer' | 'bell' | 'log'>;

  constructor(
    unchecked: readonly string[],
    options: Pick<EpochOptions, 'store' | 'signer' | 'bell' | 'log'>,
  ) {
    this.#unchecked = new Set(unchecked);
    this.#options = options;
  }

  /** Rejects while the destination cannot be asked. */
  async mayExport(destination: Destination, origin: string): Promise<boolean> {
    if (!this.#unchecked.has(destination.name)) return true;
    const { store, signer, bell, log } = this.#options;
    if (await isKnown(destination, origin, { store, signer, destinations: [], log })) {
      this.#unchecked.delete(destination.name);
      bell.clear(ROLLED_BACK, destination.name);
      return true;
    }
    bell.raise({
      code: ROLLED_BACK,
      subject: destination.name,
      severity: 'critical',
      text: `${destination.name} has an evidence log that the database does not have (restored from a backup?); nothing of the log is exported there, restart the recorder to begin a new epoch`,
    });
    return false;
  }
}
