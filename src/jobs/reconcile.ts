import { uploadJobId } from './upload.ts';
import type { DeliveryRow, LogStore } from './ports.ts';
import type { JobQueues } from './queues.ts';

export interface ReconcileDeps {
  readonly store: LogStore;
  readonly queues: Pick<JobQueues, 'request'>;
  readonly now: () => number;
}

/** A delivery that used up its quick tries is asked for again after this long, for ever. */
const RETRY_FAILED = 3_600_000;
/** A delivery that failed a moment ago is still in the queue's own back-off. */
const QUICK_TRIES = 300_000;

export const sealJobId = (recording: string): string => `seal-${recording}`;

/**
 * Asks the queues for everything that the log says is still to be done: the log is the truth, Redis may have forgotten all.
 * Jobs that wait or run already are not doubled.
 */
export async function reconcile(deps: ReconcileDeps): Promise<{ readonly seals: number; readonly uploads: number }> {
  const ended = await deps.store.recordingsInState('ended');
  for (const { id } of ended) await deps.queues.request('seal', sealJobId(id), { recording: id });
  const open = (await deps.store.openDeliveries()).filter((row) => isDue(row, deps.now()));
  for (const { recording, destination } of open)
    await deps.queues.request('upload', uploadJobId({ recording, destination }), { recording, destination });
  return { seals: ended.length, uploads: open.length };
}

function isDue(row: DeliveryRow, now: number): boolean {
  if (row.state === 'waiting') return true;
  const age = now - row.updatedAt;
  return row.permanent ? age > RETRY_FAILED : age > QUICK_TRIES;
}
