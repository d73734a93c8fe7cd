import { parentPort, workerData } from 'node:worker_threads';
import { type QueuedWrite, WriterQueue } from './writer-queue.ts';

/** What a disk that takes nothing is said to suffer from (EIO), where it gives no reason. */
export const NO_REASON = -5;

/**
 * Does what is queued, one after the other for ever, and sleeps while there is nothing to do: a thread that does so has no events. `work` returns
 * what `QueuedWrite` calls its outcome; what it throws is an error of the disk.
 */
export function workForEver(work: (write: QueuedWrite) => number): never {
  if (parentPort === null) throw new Error('this is the entry of a worker thread');
  const queue = new WriterQueue(workerData as SharedArrayBuffer);
  for (;;) {
    const place = queue.claimNext();
    queue.settle(
      place,
      outcomeOf(() => work(queue.write(place))),
    );
    if (queue.isExpected()) parentPort.postMessage(place);
  }
}

function outcomeOf(work: () => number): number {
  try {
    return work();
  } catch (error) {
    return (error as NodeJS.ErrnoException).errno ?? NO_REASON;
  }
}
