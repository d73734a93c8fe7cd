import { createHash } from 'node:crypto';
import { formatCheckpoint } from '../evidence/checkpoint.ts';
import type { CurrentSigner } from '../evidence/current-signer.ts';
import { parseEntry } from '../evidence/entry.ts';
import { formatKeyroll } from '../evidence/keyroll.ts';
import { certificatePath, issuerPath, keyrollPath } from '../evidence/layout.ts';
import { certificateFingerprint, type Signer } from '../evidence/signature.ts';
import type { Chain, ChainTurn } from './chain.ts';
import { rootOf } from './checkpoint.ts';
import { JobError } from './job-error.ts';
import type { CheckpointRow, LogStore } from './ports.ts';

export interface RollDeps {
  readonly store: LogStore;
  readonly chain: Chain;
  readonly signer: CurrentSigner;
  readonly now: () => number;
}

/**
 * Hands the log over to the signer's successor (evidence.md 1.6): statement and checkpoint signed by both keys, `keyroll` entry, the new
 * certificate, all in one transaction. Seals before it are under the old key, seals after it under the new one. The successor must be safe
 * on disk before. Rejects with JobError NO_SUCCESSOR when there is none, and with StoreError while the database is away.
 */
export function rollKey(deps: RollDeps): Promise<CheckpointRow> {
  const { store, chain, signer } = deps;
  return chain.exclusively(async (turn) => {
    const next = signer.successor;
    if (next === undefined) throw new JobError('NO_SUCCESSOR', 'no new key was prepared');
    const { origin } = turn.head;
    const n = (await rollsOf(origin, store)) + 1;
    const { entry, files } = await state(turn, { n, next, signer });
    const { size } = turn.head;
    const root = rootOf(turn.head);
    const text = formatCheckpoint(origin, size, root);
    const [signature, nextSignature] = await Promise.all([signer.sign(text), next.sign(text)]);
    const row: CheckpointRow = {
      ...{ origin, size, root, text, signature, nextSignature },
      at: deps.now(),
      exported: true,
    };
    const headAfter = turn.head;
    await store.write(async (log) => {
      await log.appendEntry(entry, headAfter);
      for (const [path, bytes] of files) await log.evidence.putFile(origin, path, bytes);
      await log.putCheckpoint(row);
    });
    turn.commit();
    // In the same breath as the new head, see CurrentSigner.
    signer.replace(next);
    return row;
  });
}

/** Appends nothing yet: prepares the `keyroll` entry behind the statement that both keys signed. */
async function state(
  turn: ChainTurn,
  { n, next, signer }: { readonly n: number; readonly next: Signer; readonly signer: Signer },
): Promise<{
  readonly entry: ReturnType<ChainTurn['prepare']>['entry'];
  readonly files: readonly (readonly [path: string, bytes: Buffer])[];
}> {
  const { head, reading } = turn;
  const keys = { old: signer.key, new: next.key, certNew: certificateFingerprint(next.certificatePem) };
  const statement = formatKeyroll({
    ...{ origin: head.origin, n, size: head.size, root: rootOf(head), time: reading.time },
    ...keys,
  });
  const [byOld, byNew] = await Promise.all([signer.sign(statement), next.sign(statement)]);
  const { entry } = turn.prepare({
    type: 'keyroll',
    n,
    ...keys,
    proofOld: sha256(byOld),
    proofNew: sha256(byNew),
  });
  const { origin } = head;
  return {
    entry,
    files: [
      ...next.issuers.map((pem) => [issuerPath(origin, pem), Buffer.from(pem)] as const),
      [certificatePath(origin, next.certificatePem), Buffer.from(next.certificatePem)],
      [keyrollPath(origin, n, 'txt'), statement],
      [keyrollPath(origin, n, 'old.sig'), byOld],
      [keyrollPath(origin, n, 'new.sig'), byNew],
    ],
  };
}

/**
 * Makes the successor sign when the log already says so: a transaction may have succeeded although its answer was lost, or the process
 * ended behind it.
 */
export async function takeUpRoll(
  origin: string,
  { store, signer }: Pick<RollDeps, 'store' | 'signer'>,
): Promise<void> {
  const { successor } = signer;
  if (successor === undefined) return;
  const row = await store.evidence.newestOf(origin, ['keyroll']);
  const body = row === undefined ? undefined : parseEntry(row.bytes).body;
  if (body?.type === 'keyroll' && body.new === successor.key) signer.replace(successor);
}

async function rollsOf(origin: string, store: LogStore): Promise<number> {
  const row = await store.evidence.newestOf(origin, ['keyroll']);
  const body = row === undefined ? undefined : parseEntry(row.bytes).body;
  return body?.type === 'keyroll' ? body.n : 0;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
