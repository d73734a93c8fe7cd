import type { AlarmBell } from '../alarm.ts';
import type { Day } from '../rules/retention.ts';
import { deleteRecording, type DeletionDeps, type DeletionResult } from './delete-recording.ts';
import { JobError } from './job-error.ts';
import type { DeletableRow, DeletionRun } from './retention-ports.ts';

export interface ExpiryDeps extends DeletionDeps {
  /** Why the clock cannot be trusted to delete by; undefined when it can. Asked before every recording. */
  readonly clockFault: () => Promise<string | undefined>;
  readonly today: () => Day;
  readonly bell: AlarmBell;
  readonly tell: (
    level: 'info' | 'warn' | 'error',
    message: string,
    fields?: Record<string, unknown>,
  ) => void;
}

/** Rows read at once; a day seldom has more. */
const BATCH = 100;

/** Why one recording is not deleted now, whatever becomes of the others: it was placed under a hold or is kept longer since it was read. */
const KEPT: ReadonlySet<string> = new Set(['HELD', 'NOT_DUE', 'NOT_SEALED', 'UNKNOWN_RECORDING']);

/**
 * Deletes what is past its last day, and goes on with deletions that an archive refused before. A recording that cannot be deleted keeps no other from
 * it. Stops at the first doubt: a clock that cannot be trusted, a log that cannot be asked. Rejects with StoreError in the latter case; what was deleted until then has its tombstone.
 */
export async function expire(deps: ExpiryDeps, signal: AbortSignal): Promise<DeletionRun> {
  const day = deps.today();
  const counts = { due: 0, deleted: 0, pending: 0 };
  const fault = await work(day, counts, deps, signal);
  const run = { day, at: deps.now(), outcome: fault ?? 'done', ...counts };
  await deps.store.putRun(run);
  ring(fault, counts.pending, deps.bell);
  return run;
}

interface Counts {
  due: number;
  deleted: number;
  pending: number;
}

async function work(
  day: Day,
  counts: Counts,
  deps: ExpiryDeps,
  signal: AbortSignal,
): Promise<string | undefined> {
  const left = new Set<string>();
  const one = async (row: DeletableRow): Promise<string | undefined> => {
    const fault = await deps.clockFault();
    if (fault !== undefined) return fault;
    const outcome = await tryToDelete(row, deps, signal).catch((error: unknown) =>
      notDeleted(row, error, deps),
    );
    if (outcome !== 'deleted') left.add(row.id);
    if (outcome !== 'kept') counts[outcome]++;
    return undefined;
  };
  for (const row of await deps.store.begun()) {
    const fault = await one(row);
    if (fault !== undefined) return fault;
  }
  for (;;) {
    // Rows whose deletion has begun are due no more; those that were left are.
    const rows = (await deps.store.due(day, BATCH + left.size)).filter(({ id }) => !left.has(id));
    counts.due += rows.length;
    for (const row of rows) {
      const fault = await one(row);
      if (fault !== undefined) return fault;
      if (signal.aborted) return 'stopped';
    }
    if (rows.length < BATCH) return undefined;
  }
}

async function tryToDelete(
  row: DeletableRow,
  deps: ExpiryDeps,
  signal: AbortSignal,
): Promise<DeletionResult['state']> {
  const until = row.kept?.until;
  const { state, targets } = await deleteRecording(
    row.id,
    {
      reason: 'retention',
      policy: row.kept?.profile ?? 'none',
      actor: 'system',
      ...(until !== undefined && { due: until }),
    },
    deps,
    signal,
  );
  if (state === 'pending')
    deps.tell('warn', 'a recording could not be deleted everywhere yet', {
      recording: row.id,
      targets: targets.map(({ target, result, error }) => `${target} ${result} ${error ?? ''}`.trim()),
    });
  return state;
}

/** Throws what is no matter of this recording. */
function notDeleted({ id }: DeletableRow, error: unknown, { tell }: ExpiryDeps): 'pending' | 'kept' {
  if (!(error instanceof JobError)) throw error;
  if (KEPT.has(error.code)) return 'kept';
  tell('warn', 'a recording past its time could not be deleted', { recording: id, error: error.message });
  return 'pending';
}

function ring(fault: string | undefined, pending: number, bell: AlarmBell): void {
  if (fault !== undefined && fault !== 'stopped')
    bell.raise({
      code: 'deletion-stopped',
      severity: 'critical',
      text: `recordings past their time are not deleted: ${fault}`,
    });
  else bell.clear('deletion-stopped');
  if (pending > 0)
    bell.raise({
      code: 'deletion-pending',
      severity: 'warning',
      text: 'archives refuse to delete recordings past their time',
      fields: { recordings: pending },
    });
  else bell.clear('deletion-pending');
}
