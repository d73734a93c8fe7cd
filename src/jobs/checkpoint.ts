import { formatCheckpoint } from '../evidence/checkpoint.ts';
import { frontierRoot } from '../evidence/merkle.ts';
import type { Signer } from '../evidence/signature.ts';
import type { Chain } from './chain.ts';
import type { ChainHead, CheckpointRow, LogStore } from './ports.ts';

export interface CheckpointDeps {
  readonly store: Pick<LogStore, 'write' | 'newestCheckpoint'>;
  readonly chain: Pick<Chain, 'head'>;
  readonly signer: Pick<Signer, 'sign'>;
  readonly now: () => number;
}

/** Root of a log as it stands at a head, base64. */
export const rootOf = ({ frontier }: ChainHead): string =>
  Buffer.from(frontierRoot(frontier), 'hex').toString('base64');

/**
 * Signs the size and root of the log as it stands (evidence.md 1.5). Returns the newest checkpoint, the same one as before when
 * nothing was appended since; undefined while the log is empty. An exported one leaves with the next export. Does not hold up the
 * chain: what was committed stays the beginning of whatever follows.
 */
export async function checkpoint(
  deps: CheckpointDeps,
  use: { readonly exported: boolean },
): Promise<CheckpointRow | undefined> {
  // Both at once: a key roll replaces them together.
  const { head } = deps.chain;
  const { sign } = deps.signer;
  const { origin, size } = head;
  if (size === 0) return undefined;
  const newest = await deps.store.newestCheckpoint(origin);
  if (newest?.size === size) {
    if (use.exported && !newest.exported)
      await deps.store.write((log) => log.evidence.markExported(origin, size));
    return newest;
  }
  const root = rootOf(head);
  const text = formatCheckpoint(origin, size, root);
  const signature = await sign(text);
  const row: CheckpointRow = { origin, size, root, text, signature, at: deps.now(), ...use };
  await deps.store.write((log) => log.putCheckpoint(row));
  return row;
}
