import { uploadJobId, type UploadJob } from './upload.ts';
import type { DeliveryRow, LogStore } from './ports.ts';
import type { JobQueues } from './queues.ts';

export interface ReconcileDeps {
  readonly store: LogStore;
  readonly queues: Pick<JobQueues, 'request'>;
  /** How many uploads to a destination may be asked for. */
  readonly lanes: { room(destination: string): number };
  readonly now: () => number;
}

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

/** What is still to be done according to the log and can be begun now, for when there is no queue to do it. */
export async function outstanding({ store, lanes, now }: Omit<ReconcileDeps, 'queues'>): Promise<{
  readonly seals: readonly string[];
  readonly uploads: readonly UploadJob[];
}> {
  const ended = await store.recordingsInState('ended');
  const open = await store.openDeliveries();
  const due = open.filter(({ dueAt = 0 }) => dueAt <= now());
  return { seals: ended.map(({ id }) => id), uploads: admitted(due, lanes) };
}

/** A destination that rests gets nothing, one that is being tried again its oldest recording, any other all. */
function admitted(due: readonly DeliveryRow[], lanes: ReconcileDeps['lanes']): readonly UploadJob[] {
  const places = new Map<string, number>();
  return due.filter(({ destination }) => {
    const left = places.get(destination) ?? lanes.room(destination);
    places.set(destination, left - 1);
    return left > 0;
  });
}
