// A thread that works on files of the spool, started by spool-threads.ts.
import { parentPort } from 'node:worker_threads';
import type { SpoolAnswer, SpoolRequest } from './spool-threads.ts';
import { carryOutOrder } from './spool-work.ts';
import { codeOf, reasonOf } from './store-error.ts';

function answer({ id, order }: SpoolRequest): SpoolAnswer {
  try {
    return { id, value: carryOutOrder(order) };
  } catch (error) {
    return { id, code: codeOf(error), reason: reasonOf(error) };
  }
}

parentPort?.on('message', (request: SpoolRequest) => {
  parentPort?.postMessage(answer(request));
});
