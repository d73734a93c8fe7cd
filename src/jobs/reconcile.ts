import { uploadJobId, type UploadJob } from './upload.ts';
import type { DeliveryRow, LogStore } from './ports.ts';
import type { JobQueues } from './queues.ts';

export interface ReconcileDeps {
  readonly store: LogStore;
  readonly queues: Pick<JobQueues, 'request'>;
  readonly now: () => number;
}

/** A delivery that used up its quick tries, or that needs a person, is asked for again after this long, for ever. */
const RETRY_FAILED = 3_600_000;
/** Quick tries with growing pauses, a quarter of an hour in all. */
const QUICK_TRIES = 10;
const LONGEST_PAUSE = 300_000;

export const sealJobId = (recording: string): string => `seal-${recording}`;

/**
 * Asks the queues for everything that the log says is still to be done: the log is the truth, Redis may have forgotten all.
 * Jobs that wait or run already are not doubled.
 */
export async function reconcile(
  deps: ReconcileDeps,
): Promise<{ readonly seals: number; readonly uploads: number }> {
  const { seals, uploads } = await outstanding(deps);
  for (const recording of seals) await deps.queues.request('seal', sealJobId(recording), { recording });
  for (const { recording, destination } of uploads)
    await deps.queues.request('upload', uploadJobId({ recording, destination }), { recording, destination });
  return { seals: seals.length, uploads: uploads.length };
}

/** What is still to be done according to the log, for when there is no queue to do it. */
export async function outstanding(
  deps: Pick<ReconcileDeps, 'store' | 'now'>,
): Promise<{ readonly seals: readonly string[]; readonly uploads: readonly UploadJob[] }> {
  const ended = await deps.store.recordingsInState('ended');
  const open = await deps.store.openDeliveries();
  return { seals: ended.map(({ id }) => id), uploads: open.filter((row) => isDue(row, deps.now())) };
}

/** The same growing pauses as the queue's own; a job that still waits there is not asked for twice. */
function isDue(row: DeliveryRow, now: number): boolean {
  if (row.state === 'waiting') return true;
  const slow = row.permanent || row.attempts > QUICK_TRIES;
  const pause = slow ? RETRY_FAILED : Math.min(1000 * 2 ** row.attempts, LONGEST_PAUSE);
  return now - row.updatedAt > pause;
}
