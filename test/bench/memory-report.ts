/* Loaded into the recorder before its own code: says what its main thread's heap holds whenever it is asked. */
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  process.on('message', (question) => {
    if (question === 'memory') process.send?.(process.memoryUsage());
  });
  // Being asked is no reason to go on.
  process.channel?.unref();
}
