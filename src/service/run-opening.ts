import type { Checkpoint } from '../evidence/checkpoint.ts';
import type { Chain } from '../jobs/chain.ts';
import type { Installation } from '../jobs/recording-info.ts';
import { beginRun, type RunLogDeps } from '../jobs/run-log.ts';

/** Milliseconds from the start of this process, at most, until calls are taken without a database. */
const STARTED_WITHIN = 10_000;

/** States the start of this process in a log, once: to open the line again after a failure is no restart. Rejects as `beginRun` does. */
export async function beginRunOnce(
  options: Pick<RunLogDeps, 'store' | 'signer' | 'policyHash' | 'lastAlive'> & {
    readonly installation: Installation;
    readonly startedAt: number;
    readonly begun: Set<string>;
  },
  { chain, predecessor }: { readonly chain: Chain; readonly predecessor: Checkpoint | undefined },
): Promise<void> {
  const { store, signer, installation, policyHash, lastAlive, startedAt, begun } = options;
  if (begun.has(chain.origin)) return;
  await beginRun({
    store,
    chain,
    signer,
    policyHash,
    lastAlive,
    predecessor,
    installation: installation.name,
    productVersion: installation.version,
    // The outage ended when calls could come in again, also when the database took longer than that to answer.
    now: () => Math.min(Date.now(), startedAt + STARTED_WITHIN),
  });
  begun.add(chain.origin);
}
