import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { type QueuedWrite, WriterQueue } from './writer-queue.ts';

/** What a disk that takes nothing is said to suffer from (EIO), where it gives no reason. */
const NO_REASON = -5;

/** Writes all of it; a write may take less than it was given. Returns 0 or what `QueuedWrite` calls its outcome. */
function write({ fd, octets, position }: QueuedWrite): number {
  try {
    for (let done = 0; done < octets.length;) {
      const count = writeSync(fd, octets, done, octets.length - done, position + done);
      if (count === 0) return NO_REASON;
      done += count;
    }
    return 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).errno ?? NO_REASON;
  }
}

/** Writes one after the other for ever, and sleeps while there is nothing to write: this thread has no events. */
function writeForEver(queue: WriterQueue): never {
  for (;;) {
    const place = queue.claimNext();
    queue.settle(place, write(queue.write(place)));
    if (queue.isExpected()) parentPort?.postMessage(place);
  }
}

if (parentPort === null) throw new Error('writer-thread is the entry of a worker thread');
writeForEver(new WriterQueue(workerData as SharedArrayBuffer));
