import type { Checkpoint } from '../evidence/checkpoint.ts';
import { parseEntry, type EntryBody } from '../evidence/entry.ts';
import type { Signer } from '../evidence/signature.ts';
import { certificateFingerprint } from '../evidence/signature.ts';
import type { Chain, ChainTurn } from './chain.ts';
import { JobError } from './job-error.ts';
import type { LogStore } from './ports.ts';

export interface RunLogDeps {
  readonly store: LogStore;
  readonly chain: Chain;
  readonly signer: Signer;
  readonly installation: string;
  readonly productVersion: string;
  /** Hash of what the configuration file says of which calls are recorded and how long they are kept, hex. */
  readonly policyHash: string;
  /** When the process before this one was last known to be alive, epoch milliseconds. */
  readonly lastAlive: number | undefined;
  readonly now: () => number;
  /** The log before, when this one begins because that could not be continued. */
  readonly predecessor?: Checkpoint | undefined;
}

/** Part of the `config` entries about what is read at the start; rules, announcements and keys, which change while it runs, have their own. */
const CONFIGURATION = 'configuration';

/**
 * First entry of a run: genesis of a new log, or the outage since the run before (evidence.md 1.4). Rejects with JobError
 * KEY_CHANGED when the log was signed with another key.
 */
export async function beginRun(deps: RunLogDeps): Promise<void> {
  const { chain, store } = deps;
  const newest =
    chain.head.size === 0 ? undefined : (await store.entries(chain.origin, chain.head.size - 1, 1))[0];
  if (newest !== undefined && keyAfter(newest.bytes) !== deps.signer.key)
    throw new JobError(
      'KEY_CHANGED',
      `the log ${chain.origin} was signed with another key; restore keys/ from your backup`,
    );
  const policyBefore = newest === undefined ? undefined : await policyOf(deps);
  await chain.exclusively(async (turn) => {
    const first = turn.prepare(newest === undefined ? genesisOf(deps) : outageSince(newest.type, deps));
    const changed =
      policyBefore === undefined || policyBefore === deps.policyHash
        ? undefined
        : turn.prepare({
            type: 'config',
            part: CONFIGURATION,
            hashBefore: policyBefore,
            hashAfter: deps.policyHash,
            actor: 'system',
          });
    const resumed = newest === undefined && deps.predecessor !== undefined ? await reopen(turn, deps) : [];
    await store.write(async (log) => {
      await log.appendEntry(first.entry, first.headAfter);
      for (const { entry, headAfter } of resumed) {
        await log.appendEntry(entry, headAfter);
        if (entry.recording !== undefined) await log.evidence.setOpenIndex(entry.recording, entry.index);
      }
      if (changed !== undefined) await log.appendEntry(changed.entry, changed.headAfter);
    });
    turn.commit();
  });
}

/** The key that must sign what follows an entry, hex. */
export function keyAfter(entry: Buffer): string {
  const { header, body } = parseEntry(entry);
  return body.type === 'keyroll' ? body.new : header.key;
}

const genesisOf = (deps: RunLogDeps): EntryBody => ({
  type: 'genesis',
  installation: deps.installation,
  productVersion: deps.productVersion,
  policyHash: deps.policyHash,
  cert: certificateFingerprint(deps.signer.certificatePem),
  predecessor:
    deps.predecessor === undefined
      ? '-'
      : `${deps.predecessor.origin} ${deps.predecessor.size} ${deps.predecessor.root}`,
  reason: deps.predecessor === undefined ? 'new' : 'recovery',
});

/** In a new epoch: since when nothing is known, and the calls that the database still has open, which will end in this log. */
async function reopen(
  turn: ChainTurn,
  deps: RunLogDeps,
): Promise<readonly ReturnType<ChainTurn['prepare']>[]> {
  const { store, lastAlive, now } = deps;
  // What has its entry in the log before is only being finished.
  const sealing = new Set((await store.intents()).map(({ recording }) => recording));
  const ended = (await store.recordingsInState('ended')).filter(({ id }) => !sealing.has(id));
  const open = [...(await store.recordingsInState('recording')), ...ended];
  const outage = turn.prepare({
    type: 'outage',
    from: new Date(lastAlive ?? now()).toISOString(),
    to: new Date(now()).toISOString(),
    cause: 'restore',
    clean: false,
  });
  return [outage, ...open.map(({ id }) => turn.prepare({ type: 'open', rec: id, policy: 'resumed' }, id))];
}

const outageSince = (newest: string, deps: RunLogDeps): EntryBody => ({
  type: 'outage',
  from: new Date(deps.lastAlive ?? deps.now()).toISOString(),
  to: new Date(deps.now()).toISOString(),
  cause: newest === 'close' ? 'stop' : 'crash',
  clean: newest === 'close',
});

/** The hash of the configuration as the log states it last. */
async function policyOf({ store, chain }: RunLogDeps): Promise<string | undefined> {
  const changed = await store.evidence.newestConfig(chain.origin, CONFIGURATION);
  const row = changed ?? (await store.evidence.newestOf(chain.origin, ['genesis']));
  const body = row && parseEntry(row.bytes).body;
  if (body?.type === 'config') return body.hashAfter;
  return body?.type === 'genesis' ? body.policyHash : undefined;
}

/** Last entry of an orderly run: the chain takes none behind it. */
export async function endRun(deps: Pick<RunLogDeps, 'store' | 'chain'>): Promise<void> {
  await deps.chain.exclusively(async (turn) => {
    const { entry, headAfter } = turn.prepare({ type: 'close', nextOrigin: '-' });
    await deps.store.write((log) => log.appendEntry(entry, headAfter));
    turn.commit();
    deps.chain.end();
  });
}
