import { formatCheckpoint } from '../evidence/checkpoint.ts';
import { frontierRoot } from '../evidence/merkle.ts';
import type { Signer } from '../evidence/signature.ts';
import type { Chain } from './chain.ts';
import type { CheckpointRow, LogStore } from './ports.ts';

export interface CheckpointDeps {
  readonly store: LogStore;
  readonly chain: Chain;
  readonly signer: Signer;
  readonly now: () => number;
}

/**
 * Signs the size and root of the log as it stands (evidence.md 1.5). Returns the newest checkpoint, the same one as before when
 * nothing was appended since; undefined while the log is empty.
 */
export function checkpoint(deps: CheckpointDeps): Promise<CheckpointRow | undefined> {
  return deps.chain.exclusively(async ({ head }) => {
    if (head.size === 0) return undefined;
    const newest = await deps.store.newestCheckpoint(head.origin);
    if (newest?.size === head.size) return newest;
    const root = Buffer.from(frontierRoot(head.frontier), 'hex').toString('base64');
    const text = formatCheckpoint(head.origin, head.size, root);
    const signature = await deps.signer.sign(text);
    const row: CheckpointRow = {
      origin: head.origin,
      size: head.size,
      root,
      text,
      signature,
      at: deps.now(),
    };
    await deps.store.write((log) => log.putCheckpoint(row));
    return row;
  });
}
