import { formatTargets } from '../evidence/entry-fields.ts';
import { SIGNATURE_ENDING } from '../evidence/recording-files.ts';
import type { TombstoneBody } from '../evidence/entry-types.ts';
import { PermanentUploadError, type Destination } from './destination.ts';
import type { EvidenceLog } from './evidence-log.ts';
import { JobError } from './job-error.ts';
import type { CopyRow, LogStore, SealFiles } from './ports.ts';
import type { DeletionOrder } from './retention-orders.ts';
import type { DeletableRow, RetentionStore } from './retention-ports.ts';
import { Turns } from '../turns.ts';

export interface DeletionDeps {
  readonly store: RetentionStore;
  readonly log: Pick<LogStore, 'copies' | 'deliveries' | 'write'>;
  readonly evidence: EvidenceLog;
  readonly destinations: ReadonlyMap<string, Destination>;
  readonly files: Pick<SealFiles, 'discard'>;
  readonly now: () => number;
}

/** What came of one destination; `absent`: nothing was there any more, `unknown`: it is not configured. */
type TargetResult = 'deleted' | 'absent' | 'locked' | 'failed' | 'unknown';

interface Target {
  readonly target: string;
  readonly result: TargetResult;
  /** What an archive that refuses says. */
  readonly error?: string;
}

export interface DeletionResult {
  readonly state: 'deleted' | 'pending';
  readonly targets: readonly Target[];
}

/** Files are removed in this order: whatever is left after a crash can still be recognised and removed. */
const LAST = SIGNATURE_ENDING;

/** Deletions under way, by the log they are stated in: by hand and for its time, at once, is one after the other. */
const underWay = new WeakMap<EvidenceLog, Turns>();

/**
 * Deletes one recording everywhere. First the log states that the deletion has begun, so that a crash in between leaves no missing file
 * unexplained; then every copy goes; then the log states the tombstone and forgets the people. As long as one archive refuses it stays `pending` and can
 * be repeated. A recording under hold is never touched. Of two deletions at once the second begins when the first is over.
 *
 * @throws JobError UNKNOWN_RECORDING, NOT_SEALED, HELD, UNKNOWN_COPIES, NOT_DUE (it was kept longer meanwhile); StoreError when the log cannot be asked. Nothing was deleted then.
 */
export async function deleteRecording(
  id: string,
  order: DeletionOrder,
  deps: DeletionDeps,
  signal: AbortSignal,
): Promise<DeletionResult> {
  const turns = underWay.get(deps.evidence) ?? new Turns();
  underWay.set(deps.evidence, turns);
  return turns.after(id, () => deleteNow(id, order, deps, signal));
}

async function deleteNow(
  id: string,
  order: DeletionOrder,
  deps: DeletionDeps,
  signal: AbortSignal,
): Promise<DeletionResult> {
  const row = await deps.store.recording(id);
  if (row === undefined) throw new JobError('UNKNOWN_RECORDING', id);
  if (row.state === 'expired') return { state: 'deleted', targets: [] };
  if (row.entryIndex === undefined || (row.state !== 'sealed' && row.state !== 'delivered'))
    throw new JobError('NOT_SEALED', `${id} is ${row.state}`);
  await assertNotHeld(id, deps);
  const given = row.deletion ?? order;
  if (row.deletion === undefined) await begin(row, given, deps);
  // What is delivered is in the spool for convenience only; what is not is removed with the last copy, so that nothing can be half there.
  if (row.state === 'delivered') await deps.files.discard(id);
  const { targets, removed, deleted } = await removeCopies(id, deps, signal);
  if (targets.some(({ result }) => result !== 'deleted' && result !== 'absent')) {
    const at = deps.now();
    // So that the end can still say of these that we deleted them, and not that they were not there.
    await deps.log.write((log) => log.putCopies(deleted.map((copy) => ({ ...copy, removedAt: at }))));
    return { state: 'pending', targets };
  }
  await deps.files.discard(id);
  await finish(row, given, { targets, removed }, deps);
  return { state: 'deleted', targets };
}

async function assertNotHeld(id: string, { store }: DeletionDeps): Promise<void> {
  const holds = await store.holdsOver(id);
  if (holds.length > 0)
    throw new JobError('HELD', `${id} is kept for ${holds.map((hold) => hold.case).join(', ')}`);
}

/** Who was told to delete it for its time read that time some recordings ago. */
async function assertStillDue(
  id: string,
  { reason, due }: DeletionOrder,
  { store }: DeletionDeps,
): Promise<void> {
  const until = (await store.recording(id))?.kept?.until;
  if (reason === 'retention' && due !== undefined && (until === undefined || until > due))
    throw new JobError('NOT_DUE', `${id} is kept until ${until ?? 'somebody decides'}`);
}

async function begin(row: DeletableRow, order: DeletionOrder, deps: DeletionDeps): Promise<void> {
  const at = deps.now();
  const targets = await pendingTargets(row.id, deps);
  await deps.evidence.appendOnce(
    { ...bodyOf(row, order, deps), type: 'tombstone-pending', targets: formatTargets(targets) },
    {
      recording: row.id,
      // Holds and longer times are stated in the same log, so from here on none can come in between.
      isDone: async () => {
        await assertNotHeld(row.id, deps);
        await assertStillDue(row.id, order, deps);
        return false;
      },
      step: { step: 'deletion-begun', outcome: 'ok', detail: reasonOf(order) },
      change: (log) => log.retention.beginDeletion(row.id, order, at),
    },
  );
}

async function pendingTargets(
  id: string,
  { log }: DeletionDeps,
): Promise<readonly { readonly target: string; readonly result: string }[]> {
  const copies = (await log.copies(id)).filter(({ removedAt }) => removedAt === undefined);
  const names = new Set(copies.map(({ destination }) => destination));
  for (const { destination, state } of await log.deliveries(id))
    if (state === 'delivered' && !names.has(destination))
      throw new JobError('UNKNOWN_COPIES', `where ${destination} has the files of ${id} is not known`);
  return [...names].map((target) => ({ target, result: 'pending' }));
}

async function finish(
  row: DeletableRow,
  order: DeletionOrder,
  done: { readonly targets: readonly Target[]; readonly removed: readonly CopyRow[] },
  deps: DeletionDeps,
): Promise<void> {
  const at = deps.now();
  await deps.evidence.append(
    { ...bodyOf(row, order, deps), type: 'tombstone', targets: formatTargets(done.targets) },
    {
      recording: row.id,
      step: { step: 'deleted', outcome: 'ok', detail: reasonOf(order) },
      change: async (log) => {
        await log.putCopies(done.removed.map((copy) => ({ ...copy, removedAt: at })));
        await log.retention.expireRecording(row.id, at);
      },
    },
  );
}

const bodyOf = (
  row: DeletableRow,
  { reason, policy, due, actor }: DeletionOrder,
  { evidence }: DeletionDeps,
): Omit<TombstoneBody, 'type' | 'targets'> => ({
  rec: row.id,
  ofIndex: row.entryIndex ?? 0,
  reason,
  policy,
  due: due ?? '-',
  actor: actor === 'system' ? actor : evidence.actor(actor),
});

/** For the recording's history; who and why stay in the order itself. */
const reasonOf = ({ reason, policy, due }: DeletionOrder): string =>
  [reason, policy, ...(due === undefined ? [] : [`due ${due}`])].join(', ');

async function removeCopies(
  id: string,
  deps: DeletionDeps,
  signal: AbortSignal,
): Promise<{
  readonly targets: readonly Target[];
  /** Those that were not yet known to be removed, and of them those in archives where this run deleted something. */
  readonly removed: readonly CopyRow[];
  readonly deleted: readonly CopyRow[];
}> {
  const copies = await deps.log.copies(id);
  const removed = copies.filter(({ removedAt }) => removedAt === undefined);
  const names = [...new Set(copies.map(({ destination }) => destination))];
  const targets = await Promise.all(
    names.map((name) =>
      removeFrom(
        name,
        removed.filter(({ destination }) => destination === name),
        { destination: deps.destinations.get(name), signal },
      ),
    ),
  );
  const emptied = new Set(targets.filter(({ result }) => result === 'deleted').map(({ target }) => target));
  return { targets, removed, deleted: removed.filter(({ destination }) => emptied.has(destination)) };
}

async function removeFrom(
  target: string,
  copies: readonly CopyRow[],
  { destination, signal }: { readonly destination: Destination | undefined; readonly signal: AbortSignal },
): Promise<Target> {
  // An earlier run of the same deletion was here.
  if (copies.length === 0) return { target, result: 'deleted' };
  if (destination === undefined) return { target, result: 'unknown' };
  const ordered = [...copies].sort((a, b) => Number(a.name.endsWith(LAST)) - Number(b.name.endsWith(LAST)));
  let any = false;
  try {
    for (const { path, version } of ordered)
      if (await destination.remove({ path, ...(version !== undefined && { version }) }, signal)) any = true;
  } catch (error) {
    const locked = error instanceof PermanentUploadError && error.fault === 'locked';
    return { target, result: locked ? 'locked' : 'failed', error: String(error) };
  }
  return { target, result: any ? 'deleted' : 'absent' };
}
